//! A frame in XDP, before there is a packet of the kernel's stack.
//!
//! It lies in one piece and its checksums are whole, so everything is read and
//! written in place. What an accelerator never asks is answered so that the
//! frame is left to the complete path.

use core::arch::asm;

use aya_ebpf::bindings::xdp_md;
use vsnat_abi::flow::FlowKey4;
use vsnat_abi::link::{Link, can, link_place};
use vsnat_core::ahead::Frame;
use vsnat_core::{Checksum, Packet, Route, Route6, RouteQuery, RouteQuery6, checksum};

use crate::maps;

pub struct XdpFrame {
    context: *mut xdp_md,
    data: *mut u8,
    end: *mut u8,
}

const UDP: u8 = 17;
/// Up to the checksum of a transport header behind 20 bytes of IPv4, and with it.
const FRONT_UDP: usize = 42;
const FRONT_TCP: usize = 52;

impl XdpFrame {
    #[inline(always)]
    pub fn new(context: *mut xdp_md) -> Self {
        // The kernel widens these 32 bits to pointers. The compiler must not
        // know of 32 bits: it would narrow what the verifier wants whole.
        // SAFETY: the kernel gives a valid context to every run; the two fields
        // are its first.
        let (data, end) = unsafe {
            let (data, end): (*mut u8, *mut u8);
            asm!(
                "{data} = *(u32 *)({context} + 0)",
                "{end} = *(u32 *)({context} + 4)",
                context = in(reg) context,
                data = out(reg) data,
                end = lateout(reg) end,
                options(pure, readonly, nostack)
            );
            (data, end)
        };
        XdpFrame { context, data, end }
    }

    #[inline(always)]
    fn bytes<const N: usize>(&self) -> Option<*mut u8> {
        if self.data as usize + N > self.end as usize {
            None
        } else {
            Some(self.data)
        }
    }

    /// The state of an interface in the table of links, and its MAC.
    #[inline(always)]
    fn link(ifindex: u32) -> Option<(u64, u64)> {
        let entry = maps::LINKS.get_ptr(link_place(ifindex))?;
        // SAFETY: elements of arrays stay; words that the daemon writes one at
        // a time.
        unsafe {
            Some((
                (&raw const (*entry).state).read_volatile(),
                (&raw const (*entry).mac).read_volatile(),
            ))
        }
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn may_leave_by(&self, ifindex: u32) -> bool {
        match XdpFrame::link(ifindex) {
            Some((state, _)) => Link::is(state, ifindex, can::SEND),
            None => false,
        }
    }
}

impl Packet for XdpFrame {
    #[inline(always)]
    fn ingress(&self) -> u32 {
        // SAFETY: the kernel gives a valid context to every run.
        unsafe { (*self.context).ingress_ifindex }
    }

    /// A tag of a VLAN stands where the type of IPv4 would: such a frame is
    /// none of ours before this is asked.
    #[inline(always)]
    fn is_for_host(&self) -> bool {
        let ifindex = self.ingress();
        let Some((state, mac)) = XdpFrame::link(ifindex) else {
            return false;
        };
        let Some(front) = self.bytes::<6>() else {
            return false;
        };
        // SAFETY: six bytes were proved to be there.
        let (low, high) = unsafe {
            (
                front.cast::<u32>().read(),
                front.add(4).cast::<u16>().read(),
            )
        };
        Link::is(state, ifindex, can::RECEIVE)
            && low == mac as u32
            && u32::from(high) == (mac >> 32) as u32
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        (self.end as usize).wrapping_sub(self.data as usize) as u32
    }

    #[inline(always)]
    fn segment_size(&self) -> u32 {
        0
    }

    #[inline(always)]
    fn front<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        let front = self.bytes::<N>()?;
        // SAFETY: N bytes were proved to be there, and nothing moves them.
        Some(unsafe { &mut *front.cast() })
    }

    #[inline(always)]
    fn load<const N: usize>(&self, _offset: u32) -> Option<[u8; N]> {
        None
    }

    #[inline(always)]
    fn store<const N: usize>(&mut self, _offset: u32, _bytes: [u8; N]) -> Option<()> {
        None
    }

    /// Nobody keeps a sum of a frame here.
    #[inline(always)]
    fn sum_changed(&mut self, _addresses: u32) {}

    #[inline(always)]
    fn patch_checksum(
        &mut self,
        _offset: u32,
        protocol: u8,
        difference: u32,
        _part: Checksum,
    ) -> Option<()> {
        let field = match protocol {
            UDP => self.bytes::<FRONT_UDP>()?.wrapping_add(FRONT_UDP - 2),
            _ => self.bytes::<FRONT_TCP>()?.wrapping_add(FRONT_TCP - 2),
        };
        let field = field.cast::<u16>();
        // SAFETY: the two bytes were proved to be there.
        let sum = unsafe { field.read() };
        if protocol == UDP && sum == 0 {
            return Some(());
        }
        let patched = match checksum::patch(sum, difference) {
            // RFC 768: zero means "no checksum", the other zero takes its place.
            0 if protocol == UDP => u16::MAX,
            patched => patched,
        };
        // SAFETY: as above.
        unsafe { field.write(patched) };
        Some(())
    }

    #[inline(always)]
    fn truncate(&mut self, _length: u32) -> Option<()> {
        None
    }

    #[inline(always)]
    fn make_room<const N: usize>(&mut self) -> Option<()> {
        None
    }

    #[inline(always)]
    fn write<const N: usize>(&mut self, _offset: u32, _bytes: [u8; N]) -> Option<()> {
        None
    }

    #[inline(always)]
    fn become_v4(&mut self) -> Option<()> {
        None
    }

    #[inline(always)]
    fn become_v6(&mut self) -> Option<()> {
        None
    }

    #[inline(always)]
    fn change_room(&mut self, _bytes: i32) -> Option<()> {
        None
    }

    #[inline(always)]
    fn route6(&mut self, _query: &RouteQuery6) -> Route6 {
        Route6::NONE
    }

    #[inline(always)]
    fn has_socket(&mut self, _key: &FlowKey4) -> bool {
        true
    }

    #[inline(always)]
    fn route(&mut self, _query: &RouteQuery) -> Route {
        Route::None
    }
}
