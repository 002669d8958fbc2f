//! One control connection, from its client to its server and back.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time;
use vsnat_dataplane::Proxied;
use vsnat_ftp::{Dialogue, Ends, Expectation, Step};

use crate::engine::Gone;
use crate::ftp::limits::{AFTER_SERVER, ALIVE, CALL};
use crate::ftp::listener::Service;
use crate::ftp::socket::{self, Heard};
use crate::ftp::{Ending, Shared};

const GOODBYE: &[u8] = b"421 The service is being restarted; connect again.\r\n";
const NO_SERVER: &[u8] = b"421 The server does not answer; try again later.\r\n";

/// Why a session ended before both sides wanted it to.
#[derive(Debug, Error)]
enum Broken {
    #[error("the client: {0}")]
    Client(io::Error),
    #[error("the server: {0}")]
    Server(io::Error),
    #[error("the client holds on to a connection that its server has closed")]
    Held,
    #[error(transparent)]
    Gone(#[from] Gone),
}

/// Serves a client to the end.
pub async fn serve(mut stream: TcpStream, client: SocketAddrV4, service: &Service, shared: Shared) {
    let address = service.address;
    let engine = &shared.engine;
    let found = engine.blocking(move |engine| engine.proxied(client, address));
    let Ok(Some((control, established_s))) = found.await else {
        // It was opened when the service had no helper, or is over already.
        tracing::debug!("{client} comes to {address} by no connection of the packet path");
        return socket::break_off(&stream);
    };
    let server = match time::timeout(CALL, socket::call(control.source, control.server)).await {
        Ok(Ok(server)) => server,
        failed => {
            let why = match failed {
                Ok(Err(error)) => error.to_string(),
                Ok(Ok(_)) | Err(_) => "no answer".to_owned(),
            };
            tracing::warn!(
                "FTP server {} cannot be called for {client}: {why}",
                control.server
            );
            let _ = stream.write_all(NO_SERVER).await;
            return;
        }
    };
    let alive = ALIVE.min(Duration::from_secs(u64::from(established_s / 3).max(1)));
    let prepared = socket::prepare(&stream, alive).and(socket::prepare(&server, alive));
    if let Err(error) = prepared {
        tracing::debug!("preparing the sockets of {client}: {error}");
    }
    let mut session = Session {
        client: stream,
        server,
        dialogue: Dialogue::new(Ends {
            client: *control.client.ip(),
            vip: *control.virtual_address.ip(),
        }),
        control,
        service,
        shared,
    };
    if let Err(broken) = session.run().await {
        tracing::debug!("FTP control connection of {client} to {address}: {broken}");
        socket::break_off(&session.client);
        socket::break_off(&session.server);
    }
}

struct Session<'s> {
    client: TcpStream,
    server: TcpStream,
    dialogue: Dialogue,
    control: Proxied,
    service: &'s Service,
    shared: Shared,
}

/// Which sides may still say something.
struct Speaking {
    client: bool,
    server: bool,
}

/// What wakes a session up.
enum Event {
    Client(io::Result<()>),
    Server(io::Result<()>),
    End,
    Late,
}

impl Session<'_> {
    async fn run(&mut self) -> Result<(), Broken> {
        let mut speaking = Speaking {
            client: true,
            server: true,
        };
        while speaking.client || speaking.server {
            match self.event(&speaking).await {
                Event::Client(ready) => {
                    ready.map_err(Broken::Client)?;
                    speaking.client = self.hear_client().await?;
                }
                Event::Server(ready) => {
                    ready.map_err(Broken::Server)?;
                    speaking.server = self.hear_server().await?;
                }
                Event::End => return self.say_goodbye().await,
                Event::Late => return Err(Broken::Held),
            }
            self.carry_out().await?;
        }
        Ok(())
    }

    async fn event(&mut self, speaking: &Speaking) -> Event {
        let late = time::sleep(AFTER_SERVER);
        let mut ending = self.shared.ending.clone();
        tokio::select! {
            ready = self.client.readable(), if speaking.client => Event::Client(ready),
            ready = self.server.readable(), if speaking.server => Event::Server(ready),
            _ = ending.wait_for(|ending| *ending == Ending::Yes) => Event::End,
            () = late, if !speaking.server => Event::Late,
        }
    }

    /// Whether the client may say more.
    async fn hear_client(&mut self) -> Result<bool, Broken> {
        match socket::hear(&self.client).map_err(Broken::Client)? {
            Heard::Bytes(bytes) => self.dialogue.client_said(&bytes),
            Heard::Urgent(byte) => self.dialogue.client_said_urgently(byte),
            Heard::Nothing => {}
            Heard::End => {
                self.server.shutdown().await.map_err(Broken::Server)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the server may say more.
    async fn hear_server(&mut self) -> Result<bool, Broken> {
        match socket::hear(&self.server).map_err(Broken::Server)? {
            Heard::Bytes(bytes) => self.dialogue.server_said(&bytes),
            Heard::Urgent(byte) => self.dialogue.server_said(&[byte]),
            Heard::Nothing => {}
            Heard::End => {
                self.client.shutdown().await.map_err(Broken::Client)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn carry_out(&mut self) -> Result<(), Broken> {
        while let Some(step) = self.dialogue.step() {
            match step {
                Step::ToServer(bytes) => {
                    let said = self.server.write_all(&bytes).await;
                    said.map_err(Broken::Server)?;
                }
                Step::UrgentToServer(byte) => {
                    let said = socket::say_urgently(&self.server, byte).await;
                    said.map_err(Broken::Server)?;
                }
                Step::ToClient(bytes) => {
                    let said = self.client.write_all(&bytes).await;
                    said.map_err(Broken::Client)?;
                }
                Step::Encrypted => self.service.tell_of_tls(),
                Step::Expect(expectation) => self.expect(expectation).await?,
            }
        }
        Ok(())
    }

    async fn expect(&mut self, expectation: Expectation) -> Result<(), Broken> {
        let control = self.control;
        let engine = &self.shared.engine;
        let expected = engine.blocking(move |engine| engine.expect(&control, expectation));
        match expected.await? {
            Ok(port) => self.dialogue.granted(port),
            Err(error) => {
                tracing::warn!("no data connection for {}: {error}", control.client);
                self.dialogue.refused();
            }
        }
        Ok(())
    }

    async fn say_goodbye(&mut self) -> Result<(), Broken> {
        if self.dialogue.is_interruptible() {
            let said = self.client.write_all(GOODBYE).await;
            said.map_err(Broken::Client)?;
        }
        Ok(())
    }
}
