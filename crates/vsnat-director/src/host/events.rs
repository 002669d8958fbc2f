//! The kernel's news of links, addresses, routes and neighbours.
//!
//! Only that there is news matters here, not what it says: whoever hears it
//! looks for himself. Lost messages are no harm for the same reason. What is
//! no news at all is left out (see [`Neighbours`]).

use std::io::{self, ErrorKind, Read};

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::news::{Neighbours, News};

/// Groups of the route family to listen to.
const GROUPS: i32 = libc::RTMGRP_LINK
    | libc::RTMGRP_NEIGH
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV6_ROUTE;

/// Neighbours take a hundred bytes; what is longer may be cut off.
const BUFFER: usize = 4_096;

/// A subscription to the news of this network namespace.
pub struct Events {
    socket: AsyncFd<Socket>,
    neighbours: Neighbours,
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
        Ok(Events {
            socket,
            neighbours: Neighbours::default(),
        })
    }

    /// Waits for news that matter, and takes in all that have come.
    pub async fn news(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.socket.readable_mut().await?;
            let neighbours = &mut self.neighbours;
            let mut heard = News::Nothing;
            loop {
                let mut buffer = [0; BUFFER];
                let news = match ready.try_io(|socket| socket.get_mut().read(&mut buffer)) {
                    Err(_would_block) => break,
                    Ok(Ok(length)) => neighbours.hear(&buffer[..length]),
                    Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                        neighbours.lost()
                    }
                    Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => News::Nothing,
                    Ok(Err(error)) => return Err(error),
                };
                if news == News::Matters {
                    heard = News::Matters;
                }
            }
            if heard == News::Matters {
                return Ok(());
            }
        }
    }
}
