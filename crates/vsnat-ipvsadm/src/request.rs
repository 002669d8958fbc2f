//! What a command line asks for.

use vsnat_api::{Command, ServiceKey};

/// A command line that is understood, legal and supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A change of the tables.
    Command(Command),
    List(ListOptions),
    /// Print the tables as command lines.
    Save(NameStyle),
    /// Read command lines from standard input; see [`crate::restore_lines`].
    Restore,
    Help,
    Version,
}

/// What to list, and how.
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
    Connections,
}

/// Whether hosts and ports are shown by name; `-n` asks for numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameStyle {
    #[default]
    Names,
    Numeric,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Weights and connections.
    #[default]
    Default,
    /// Totals.
    Stats,
    /// Totals per second.
    Rate,
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
    /// By protocol, address and port.
    #[default]
    Sorted,
    /// As the director keeps them: services oldest first, servers newest first.
    Kept,
}
