//! Connections whose server is gone, and client ports that are used again.

use vsnat_api::{Command, ConnectionState, Protocol, Scheduler, SettingName, Side};

use super::frame::{Flags, Frame};
use super::talk::*;
use super::*;

/// Two servers, and a connection to the newer one, B.
fn connected(world: &mut dyn World) -> (ServiceKey, End, End) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    limited(world, key, Scheduler::Rr, &[(1, 0), (1, 0)]);
    let from = client(world, 5, 5_000);
    assert_eq!(letter(open(world, from, vip)), 'B');
    (key, from, vip)
}

fn delete(world: &mut dyn World, service: ServiceKey, server: [u8; 4]) {
    let address = endpoint(server, 80);
    world
        .apply(&Command::DeleteServer { service, address })
        .unwrap();
}

pub fn a_syn_to_a_deleted_server_goes_to_another(world: &mut dyn World) {
    let (key, from, vip) = connected(world);
    set(world, SettingName::ExpireNodestConn, 1);
    delete(world, key, SERVER_B);
    // In the same packet, and the slot is the same one.
    assert_eq!(letter(open(world, from, vip)), 'A');
    assert_eq!(lines(world).len(), 1);
    assert_eq!(counts(world, key, SERVER_A), (1, 0, 0));
    let stray = Frame::inner((SERVER_B, 80), from).tcp(Flags::Ack);
    passed(world, Side::Inner, stray, "not_ours");
    // Added again it has nothing left of the connection.
    add_server(world, key, endpoint(SERVER_B, 80), 1);
    assert_eq!(counts(world, key, SERVER_B), (0, 0, 0));
}

pub fn what_follows_a_deleted_server_ends_it(world: &mut dyn World) {
    let (key, from, vip) = connected(world);
    set(world, SettingName::ExpireNodestConn, 1);
    delete(world, key, SERVER_B);
    let ack = Frame::outer(from, vip).tcp(Flags::Ack);
    passed(world, Side::Outer, ack.clone(), "no_connection");
    assert_eq!(lines(world), Vec::<String>::new());
    passed(world, Side::Outer, ack, "no_connection");
    assert_eq!(letter(open(world, from, vip)), 'A');
}

pub fn a_datagram_to_a_deleted_server_goes_to_another(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    let vip = (world.vip(), 53);
    limited(world, key, Scheduler::Rr, &[(1, 0), (1, 0)]);
    let from = client(world, 5, 5_000);
    assert_eq!(letter(datagram(world, from, vip)), 'B');
    delete(world, key, SERVER_B);
    let frame = Frame::outer(from, vip).udp();
    dropped(world, Side::Outer, frame, "server_gone");
    set(world, SettingName::ExpireNodestConn, 1);
    assert_eq!(letter(datagram(world, from, vip)), 'A');
    assert_eq!(lines(world).len(), 1);
}

pub fn the_last_server_takes_its_connections_along(world: &mut dyn World) {
    let (key, from, vip) = connected(world);
    set(world, SettingName::ExpireNodestConn, 1);
    delete(world, key, SERVER_A);
    delete(world, key, SERVER_B);
    assert_eq!(syn(world, from, vip), None);
    assert_eq!(lines(world), Vec::<String>::new());
}

pub fn a_deleted_service_ends_its_connections_if_asked(world: &mut dyn World) {
    let (key, from, vip) = connected(world);
    set(world, SettingName::ExpireNodestConn, 1);
    world.apply(&Command::DeleteService(key)).unwrap();
    let ack = Frame::outer(from, vip).tcp(Flags::Ack);
    passed(world, Side::Outer, ack.clone(), "no_connection");
    assert_eq!(lines(world), Vec::<String>::new());
    passed(world, Side::Outer, ack, "not_ours");
}

pub fn a_syn_to_a_resting_server_goes_to_another_if_asked(world: &mut dyn World) {
    let (key, from, vip) = connected(world);
    edit(world, key, spec_of(SERVER_B, 0, 0));
    assert_eq!(letter(syn(world, from, vip)), 'B');
    set(world, SettingName::ExpireNodestConn, 1);
    // Whatever belongs to the connection still goes to its server.
    assert_eq!(say(world, from, vip, Flags::Ack).dst.0, SERVER_B);
    assert_eq!(letter(syn(world, from, vip)), 'A');
    assert_eq!(counts(world, key, SERVER_B), (0, 0, 0));
    // Even where ports are never scheduled anew.
    edit(world, key, spec_of(SERVER_B, 1, 0));
    edit(world, key, spec_of(SERVER_A, 0, 0));
    set(world, SettingName::ConnReuseMode, 0);
    assert_eq!(letter(syn(world, from, vip)), 'B');
}

pub fn a_port_is_never_scheduled_anew_if_asked(world: &mut dyn World) {
    let (_, from, vip) = connected(world);
    set(world, SettingName::ConnReuseMode, 0);
    close(world, from, vip, (SERVER_B, 80));
    assert_eq!(state(world, from), ConnectionState::TimeWait);
    let reopened = world.count("reopened");
    assert_eq!(letter(syn(world, from, vip)), 'B');
    assert_eq!(state(world, from), ConnectionState::SynRecv);
    reply(world, (SERVER_B, 80), from, Flags::Rst);
    assert_eq!(state(world, from), ConnectionState::Close);
    assert_eq!(letter(syn(world, from, vip)), 'B');
    assert_eq!(world.count("reopened"), reopened);
    // Back to IPVS's default the next one is scheduled.
    reply(world, (SERVER_B, 80), from, Flags::Rst);
    set(world, SettingName::ConnReuseMode, 1);
    assert_eq!(letter(syn(world, from, vip)), 'A');
    assert_eq!(world.count("reopened"), reopened + 1);
}

pub fn an_open_port_is_not_scheduled_anew(world: &mut dyn World) {
    let (_, from, vip) = connected(world);
    for flags in [Flags::Syn, Flags::SynAck] {
        assert_eq!(say(world, from, vip, flags).dst.0, SERVER_B);
    }
    say(world, from, vip, Flags::FinAck);
    assert_eq!(state(world, from), ConnectionState::CloseWait);
    assert_eq!(letter(syn(world, from, vip)), 'B');
    assert_eq!(state(world, from), ConnectionState::SynRecv);
}
