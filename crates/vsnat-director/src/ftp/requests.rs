//! What FTP's helper asks of the director.

use std::net::SocketAddrV4;

use vsnat_dataplane::{ExpectError, Proxied};
use vsnat_ftp::Expectation;

use crate::engine::{Engine, Gone};
use crate::host::diversion;

impl Engine {
    /// Addresses of the services that have the helper.
    pub fn helped(&self) -> Result<Vec<SocketAddrV4>, Gone> {
        self.with(|parts| parts.data_plane.helped())
    }

    /// Leads what servers send to clients here, where the packet path says so.
    /// The record comes before the change.
    pub fn divert(&self) -> Result<Result<(), String>, Gone> {
        self.with(|parts| {
            if parts.record.diversion.is_none() {
                parts.record.diversion = Some(diversion::TABLE);
                let saved = parts.record.save(&self.setup.paths.record);
                saved.map_err(|error| error.to_string())?;
            }
            diversion::lead(&self.setup.config.inner).map_err(|error| error.to_string())
        })
    }

    /// The connection by which a client came, and how long it lasts in silence.
    pub fn proxied(
        &self,
        client: SocketAddrV4,
        service: SocketAddrV4,
    ) -> Result<Option<(Proxied, u32)>, Gone> {
        self.with(|parts| {
            let control = parts.data_plane.proxied(client, service)?;
            Some((control, parts.data_plane.timeouts().tcp_s))
        })
    }

    /// Expects a data connection. Answers the port by which the client is to
    /// know it.
    pub fn expect(
        &self,
        control: &Proxied,
        expectation: Expectation,
    ) -> Result<Result<u16, ExpectError>, Gone> {
        self.with(|parts| match expectation {
            Expectation::Client { server_port } => {
                parts.data_plane.expect_client(control, server_port)
            }
            Expectation::Server { client_port } => {
                let expected = parts.data_plane.expect_server(control, client_port);
                expected.map(|()| client_port)
            }
        })
    }
}
