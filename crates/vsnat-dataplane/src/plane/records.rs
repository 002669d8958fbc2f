//! The only writers of services' and destinations' records: what is found by
//! a record follows it, so that nothing is ever looked for through a table.

use vsnat_abi::destination::{Dest, dest_state};
use vsnat_abi::service::Service;

use crate::Backend;
use crate::plane::Plane;
use crate::plane::filters::Filters;

impl<B: Backend> Plane<B> {
    /// Bits of the filters are set before the record that needs them is
    /// written, and cleared after it is gone.
    pub(super) fn write_dest(&mut self, index: u32, dest: Dest) {
        let dests = self.backend.memory().dests;
        let before = dests.read(index).unwrap_or_default();
        hold_dest(&mut self.filters, &dest);
        dests.write(index, dest);
        leave_dest(&mut self.filters, &before);
        self.roster.follow(index, &before, &dest);
    }

    pub(super) fn write_service(&mut self, index: u32, service: Service) {
        let services = self.backend.memory().services;
        let before = services.read(index).unwrap_or_default();
        hold_service(&mut self.filters, &service);
        services.write(index, service);
        leave_service(&mut self.filters, &before);
        match (before.used, service.used) {
            (0, 0) => {}
            (0, _) => self.roster.free_services.take(index),
            (_, 0) => self.roster.free_services.give(index),
            (_, _) => {}
        }
        self.presence.add(&service);
        self.presence.remove(&before);
        self.note_presence();
    }

    /// Takes note of all records as they are.
    pub(super) fn adopt_records(&mut self) {
        let memory = *self.backend.memory();
        for (index, service) in memory.services.iter() {
            self.next_order = self.next_order.max(service.order + 1);
            hold_service(&mut self.filters, &service);
            self.presence.add(&service);
            if service.used == 0 {
                self.roster.free_services.give(index);
            }
        }
        for (index, dest) in memory.dests.iter() {
            self.next_order = self.next_order.max(dest.order + 1);
            hold_dest(&mut self.filters, &dest);
            match dest.state {
                dest_state::FREE => self.roster.free_dests.give(index),
                _ => self.roster.follow(index, &dest, &dest),
            }
        }
        self.note_presence();
    }
}

fn hold_dest(filters: &mut Filters, dest: &Dest) {
    if dest.state == dest_state::FREE {
        return;
    }
    if !dest.service.is_mark() {
        filters.vips.raise(dest.service.vip);
    }
    filters.servers.raise(dest.address);
}

fn leave_dest(filters: &mut Filters, dest: &Dest) {
    if dest.state == dest_state::FREE {
        return;
    }
    if !dest.service.is_mark() {
        filters.vips.lower(dest.service.vip);
    }
    filters.servers.lower(dest.address);
}

fn hold_service(filters: &mut Filters, service: &Service) {
    if service.used != 0 && !service.key.is_mark() {
        filters.vips.raise(service.key.vip);
    }
}

fn leave_service(filters: &mut Filters, service: &Service) {
    if service.used != 0 && !service.key.is_mark() {
        filters.vips.lower(service.key.vip);
    }
}
