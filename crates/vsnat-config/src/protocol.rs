//! The transport protocol of a service or of a marking rule.

use toml::Spanned;
use vsnat_api::Protocol;

use crate::mistake::Notes;

pub(crate) fn read(text: &Spanned<&str>, notes: &mut Notes) -> Option<Protocol> {
    match *text.get_ref() {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "sctp" => Some(Protocol::Sctp),
        other => {
            let message =
                format!("unknown protocol \"{other}\"; write \"tcp\", \"udp\" or \"sctp\"");
            notes.add(text.span(), message);
            None
        }
    }
}
