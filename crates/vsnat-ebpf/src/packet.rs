//! A packet at TC ingress.
//!
//! Headers are read and written in place; the transport checksum goes through
//! the kernel's helper, which knows whether a card will fill it in.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::{
    __sk_buff, BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, BPF_F_RECOMPUTE_CSUM,
    bpf_adj_room_mode::BPF_ADJ_ROOM_MAC,
};
use aya_ebpf::helpers::{
    bpf_csum_update, bpf_fib_lookup, bpf_l4_csum_replace, bpf_sk_lookup_tcp, bpf_sk_lookup_udp,
    bpf_sk_release, bpf_skb_adjust_room, bpf_skb_change_proto, bpf_skb_change_tail,
    bpf_skb_load_bytes, bpf_skb_pull_data, bpf_skb_store_bytes,
};
use vsnat_abi::flow::FlowKey4;
use vsnat_abi::net::Be32;
use vsnat_core::six::Came;
use vsnat_core::{Checksum, Packet, Route, Route6, RouteQuery, RouteQuery6};

pub struct TcPacket {
    skb: *mut __sk_buff,
}

const PACKET_HOST: u32 = 0;
const TCP: u8 = 6;
const UDP: u8 = 17;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
/// With a length given the kernel answers the MTU of the route, not of the link.
const ANY_LENGTH: u16 = 1;
/// Answers of `bpf_fib_lookup` (include/uapi/linux/bpf.h).
const FIB_SUCCESS: i64 = 0;
const FIB_NO_NEIGHBOUR: i64 = 7;

/// `struct bpf_fib_lookup`, its unions resolved for IPv4 on TC.
#[repr(C, align(8))]
struct Fib {
    family: u8,
    protocol: u8,
    src_port: u16,
    dst_port: u16,
    length_or_mtu: u16,
    ifindex: u32,
    tos: u32,
    src: [u32; 4],
    dst: [u32; 4],
    vlan: u32,
    src_mac: [u16; 3],
    dst_mac: [u16; 3],
}

const _: () = assert!(size_of::<Fib>() == 64);

/// `struct bpf_sock_tuple`, its union resolved for IPv4.
#[repr(C)]
struct Ends {
    src: u32,
    dst: u32,
    src_port: u16,
    dst_port: u16,
}

const _: () = assert!(size_of::<Ends>() == 12);

/// `BPF_F_CURRENT_NETNS`.
const OWN_NAMESPACE: u64 = u64::MAX;

impl TcPacket {
    pub fn new(skb: *mut __sk_buff) -> Self {
        TcPacket { skb }
    }

    #[inline(always)]
    fn linear<const N: usize>(&mut self) -> Option<*mut u8> {
        // Volatile: kept in a register over other code the two are sometimes
        // narrowed to 32 bits, and the verifier no longer sees pointers.
        // SAFETY: the kernel gives a valid context to every run.
        let (data, end) = unsafe {
            (
                (&raw const (*self.skb).data).read_volatile() as usize,
                (&raw const (*self.skb).data_end).read_volatile() as usize,
            )
        };
        if data + N > end {
            None
        } else {
            Some(data as *mut u8)
        }
    }
}

impl Packet for TcPacket {
    #[inline(always)]
    fn ingress(&self) -> u32 {
        // SAFETY: the kernel gives a valid context to every run.
        unsafe { (*self.skb).ifindex }
    }

    #[inline(always)]
    fn is_for_host(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.skb).pkt_type == PACKET_HOST && (*self.skb).vlan_present == 0 }
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.skb).len }
    }

    #[inline(always)]
    fn segment_size(&self) -> u32 {
        // SAFETY: as above.
        unsafe { (*self.skb).gso_size }
    }

    #[inline(always)]
    fn front<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        let front = match self.linear::<N>() {
            Some(front) => front,
            None => {
                // SAFETY: as above; pointers into the packet are made anew.
                if unsafe {
                    (*self.skb).len < N as u32 || bpf_skb_pull_data(self.skb, N as u32) != 0
                } {
                    return None;
                }
                self.linear::<N>()?
            }
        };
        // SAFETY: N bytes were proved to be there; the borrow of self keeps
        // helpers that move them away.
        Some(unsafe { &mut *front.cast() })
    }

    #[inline(always)]
    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let mut bytes = MaybeUninit::<[u8; N]>::uninit();
        // SAFETY: the helper writes N bytes or fails.
        unsafe {
            let failed =
                bpf_skb_load_bytes(self.skb.cast(), offset, bytes.as_mut_ptr().cast(), N as u32);
            if failed != 0 {
                None
            } else {
                Some(bytes.assume_init())
            }
        }
    }

    #[inline(always)]
    fn store<const N: usize>(&mut self, offset: u32, bytes: [u8; N]) -> Option<()> {
        // SAFETY: the helper reads N bytes.
        let failed = unsafe {
            bpf_skb_store_bytes(self.skb.cast(), offset, bytes.as_ptr().cast(), N as u32, 0)
        };
        if failed != 0 { None } else { Some(()) }
    }

    #[inline(always)]
    fn patch_checksum(
        &mut self,
        offset: u32,
        protocol: u8,
        difference: u32,
        part: Checksum,
    ) -> Option<()> {
        let part = match part {
            Checksum::Pseudo => u64::from(BPF_F_PSEUDO_HDR),
            Checksum::Data => 0,
        };
        let none_stays_none = if protocol == UDP {
            u64::from(BPF_F_MARK_MANGLED_0)
        } else {
            0
        };
        // SAFETY: a helper on our own context. With a size of zero it adds the
        // difference as it is.
        let failed = unsafe {
            bpf_l4_csum_replace(
                self.skb.cast(),
                offset,
                0,
                u64::from(difference),
                part | none_stays_none,
            )
        };
        if failed != 0 { None } else { Some(()) }
    }

    /// The sum that a card took of a received packet has the checksum in it, but
    /// not the pseudo-header: it grew by the opposite of the addresses.
    #[inline(always)]
    fn sum_changed(&mut self, addresses: u32) {
        // SAFETY: a helper on our own context. It refuses where there is no such
        // sum, and then there is nothing to correct.
        unsafe { bpf_csum_update(self.skb, !addresses) };
    }

    #[inline(always)]
    fn truncate(&mut self, length: u32) -> Option<()> {
        // SAFETY: a helper on our own context.
        let failed = unsafe { bpf_skb_change_tail(self.skb, length, 0) };
        if failed != 0 { None } else { Some(()) }
    }

    #[inline(always)]
    fn make_room<const N: usize>(&mut self) -> Option<()> {
        // SAFETY: a helper on our own context.
        let failed = unsafe { bpf_skb_adjust_room(self.skb, N as i32, BPF_ADJ_ROOM_MAC, 0) };
        if failed != 0 { None } else { Some(()) }
    }

    #[inline(always)]
    fn write<const N: usize>(&mut self, offset: u32, bytes: [u8; N]) -> Option<()> {
        let flags = u64::from(BPF_F_RECOMPUTE_CSUM);
        // SAFETY: the helper reads N bytes.
        let failed = unsafe {
            bpf_skb_store_bytes(
                self.skb.cast(),
                offset,
                bytes.as_ptr().cast(),
                N as u32,
                flags,
            )
        };
        if failed != 0 { None } else { Some(()) }
    }

    #[inline(always)]
    fn become_v4(&mut self) -> Option<()> {
        // SAFETY: a helper on our own context.
        let failed = unsafe { bpf_skb_change_proto(self.skb, ETH_P_IP.to_be(), 0) };
        if failed != 0 { None } else { Some(()) }
    }

    #[inline(always)]
    fn become_v6(&mut self) -> Option<()> {
        // SAFETY: a helper on our own context.
        let failed = unsafe { bpf_skb_change_proto(self.skb, ETH_P_IPV6.to_be(), 0) };
        if failed != 0 { None } else { Some(()) }
    }

    #[inline(always)]
    fn change_room(&mut self, bytes: i32) -> Option<()> {
        // SAFETY: a helper on our own context.
        let failed = unsafe { bpf_skb_adjust_room(self.skb, bytes, BPF_ADJ_ROOM_MAC, 0) };
        if failed != 0 { None } else { Some(()) }
    }

    #[inline(always)]
    fn route6(&mut self, query: &RouteQuery6) -> Route6 {
        let mut fib = Fib {
            family: AF_INET6,
            protocol: query.protocol,
            src_port: query.src_port.raw(),
            dst_port: query.dst_port.raw(),
            length_or_mtu: ANY_LENGTH,
            ifindex: self.ingress(),
            // The class in the place of the flow's label.
            tos: (u32::from(query.class) << 20).to_be(),
            src: query.src.words,
            dst: query.dst.words,
            vlan: 0,
            src_mac: [0; 3],
            dst_mac: [0; 3],
        };
        // SAFETY: the layout is the kernel's; see `Fib`.
        let answer = unsafe {
            bpf_fib_lookup(
                self.skb.cast(),
                (&raw mut fib).cast(),
                size_of::<Fib>() as i32,
                0,
            )
        };
        let came = match answer {
            FIB_SUCCESS => Came::Neighbour,
            FIB_NO_NEIGHBOUR => Came::Unresolved,
            _ => Came::None,
        };
        Route6 {
            came,
            ifindex: fib.ifindex,
            dst_mac: mac(fib.dst_mac),
            src_mac: mac(fib.src_mac),
            mtu: fib.length_or_mtu,
        }
    }

    #[inline(always)]
    fn has_socket(&mut self, key: &FlowKey4) -> bool {
        let mut ends = Ends {
            src: key.src.raw(),
            dst: key.dst.raw(),
            src_port: key.src_port.raw(),
            dst_port: key.dst_port.raw(),
        };
        let (context, tuple) = (self.skb.cast(), (&raw mut ends).cast());
        let size = size_of::<Ends>() as u32;
        // SAFETY: the layout is the kernel's; see `Ends`. A socket that was
        // found is given back.
        unsafe {
            let socket = match key.protocol {
                UDP => bpf_sk_lookup_udp(context, tuple, size, OWN_NAMESPACE, 0),
                TCP => bpf_sk_lookup_tcp(context, tuple, size, OWN_NAMESPACE, 0),
                // The kernel looks up no others.
                _ => return false,
            };
            if socket.is_null() {
                return false;
            }
            bpf_sk_release(socket.cast());
        }
        true
    }

    #[inline(always)]
    fn route(&mut self, query: &RouteQuery) -> Route {
        let mut fib = Fib {
            family: AF_INET,
            protocol: query.protocol,
            src_port: query.src_port.raw(),
            dst_port: query.dst_port.raw(),
            length_or_mtu: ANY_LENGTH,
            ifindex: self.ingress(),
            tos: u32::from(query.tos),
            src: [query.src.raw(), 0, 0, 0],
            dst: [query.dst.raw(), 0, 0, 0],
            vlan: 0,
            src_mac: [0; 3],
            dst_mac: [0; 3],
        };
        // SAFETY: the layout is the kernel's; see `Fib`.
        let answer = unsafe {
            bpf_fib_lookup(
                self.skb.cast(),
                (&raw mut fib).cast(),
                size_of::<Fib>() as i32,
                0,
            )
        };
        let next_hop = Be32::from_raw(fib.dst[0]);
        match answer {
            FIB_SUCCESS => Route::Neighbour {
                ifindex: fib.ifindex,
                next_hop,
                dst_mac: mac(fib.dst_mac),
                src_mac: mac(fib.src_mac),
                mtu: fib.length_or_mtu,
            },
            FIB_NO_NEIGHBOUR => Route::Unresolved {
                ifindex: fib.ifindex,
                next_hop,
            },
            _ => Route::None,
        }
    }
}

#[inline(always)]
fn mac(words: [u16; 3]) -> u64 {
    u64::from(words[0]) | u64::from(words[1]) << 16 | u64::from(words[2]) << 32
}
