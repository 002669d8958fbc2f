//! The kernel's news of links, addresses, routes and neighbours.
//!
//! Only that there is news matters here, not what it says: whoever hears it
//! looks for himself. Lost messages are no harm for the same reason.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Groups of the route family to listen to.
const GROUPS: i32 =
    libc::RTMGRP_LINK | libc::RTMGRP_NEIGH | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV4_ROUTE;

/// Messages are read to be forgotten, so a small buffer truncates them.
const BUFFER: usize = 512;

/// A subscription to the news of this network namespace.
pub struct Events {
    socket: AsyncFd<Socket>,
}

impl Events {
    /// To be called on the runtime.
    pub fn subscribe() -> io::Result<Self> {
        let family = Protocol::from(libc::NETLINK_ROUTE);
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(family))?;
        let mut storage = SockAddrStorage::zeroed();
        // SAFETY: a sockaddr_nl is smaller than the storage, has no stricter
        // alignment, and all zeroes is a valid value of it.
        let address = unsafe { storage.view_as::<libc::sockaddr_nl>() };
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        address.nl_groups = GROUPS.cast_unsigned();
        let length = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: the storage holds a sockaddr_nl with its family, of that length.
        let address = unsafe { SockAddr::new(storage, length) };
        socket.bind(&address)?;
        socket.set_nonblocking(true)?;
        // SAFETY: the socket owns its descriptor and names the same one as long
        // as it lives, and nothing else closes it.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        let socket = socket.map_err(io::Error::from)?;
        Ok(Events { socket })
    }

    /// Waits for news, and forgets all that have come.
    pub async fn news(&mut self) -> io::Result<()> {
        let mut ready = self.socket.readable_mut().await?;
        loop {
            let mut buffer = [MaybeUninit::uninit(); BUFFER];
            match ready.try_io(|socket| socket.get_ref().recv(&mut buffer)) {
                Err(_would_block) => return Ok(()),
                Ok(Ok(_)) => {}
                // Too many at once: some are lost, which does not matter.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
            }
        }
    }
}
