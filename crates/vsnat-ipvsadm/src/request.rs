//! What a command line asks for.

use vsnat_api::{Command, ServiceKey};

use crate::UnknownScheduler;

/// A command line that is understood, legal and supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A change of the tables or of the timeouts.
    Command(Command),
    /// Nothing that can be done; see [`UnknownScheduler::refusal`].
    UnknownScheduler(UnknownScheduler),
    /// See [`crate::render_services`].
    ListServices(ListOptions),
    /// See [`crate::ConnectionRows`].
    ListConnections(ConnectionOptions),
    /// See [`crate::render_timeouts`].
    ListTimeouts,
    /// The daemons of connection synchronisation. None can run, so ipvsadm
    /// would print nothing and exit with 0.
    ListDaemons,
    /// Print the tables as command lines.
    Save(NameStyle),
    /// Read command lines from standard input; see [`crate::restore_lines`].
    Restore,
    Help,
    Version,
}

/// Which services to list, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    pub listed: Listed,
    pub names: NameStyle,
    pub format: Format,
    pub figures: Figures,
    pub order: Order,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listed {
    #[default]
    Services,
    OneService(ServiceKey),
}

/// How to list connections; their order is that of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionOptions {
    pub names: NameStyle,
    pub columns: ConnectionColumns,
}

/// Whether the listing has columns for persistence engines, which
/// `--persistent-conn` asks for. They are empty: there is no engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectionColumns {
    #[default]
    Plain,
    Engine,
}

/// Whether hosts and ports are shown by name; `-n` asks for numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameStyle {
    #[default]
    Names,
    Numeric,
}

/// The columns of a listing of services. Of several that a line asks for,
/// ipvsadm takes the one that stands first here, the default last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Totals.
    Stats,
    /// Totals per second.
    Rate,
    /// Thresholds and connections.
    Thresholds,
    /// Weights, templates and connections.
    PersistentConn,
    /// Weights, tunnels and connections.
    TunInfo,
    /// Weights and connections.
    #[default]
    Default,
}

/// Whether great numbers are cut to K, M, G and T; `--exact` shows them whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Figures {
    #[default]
    Rounded,
    Exact,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By mark, protocol, address and port.
    #[default]
    Sorted,
    /// As the director keeps them: services oldest first, servers newest first.
    Kept,
}
