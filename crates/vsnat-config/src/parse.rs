//! From text to [`Config`], gathering every mistake on the way.

use toml::de::DeTable;

use crate::director::{self, Director};
use crate::mistake::Notes;
use crate::section::Section;
use crate::{
    Config, Mistakes, dhcp, forward, limits, marks, masquerade, services, settings, timeouts,
};

const DIRECTOR: &str = "[director]";
const LIMITS: &str = "[limits]";
const TIMEOUTS: &str = "[timeouts]";
const SETTINGS: &str = "[settings]";
const MARK: &str = "[[mark]]";
const SERVICE: &str = "[[service]]";
const MASQUERADE: &str = "[[masquerade]]";
const FORWARD: &str = "[[forward]]";
const DHCP: &str = "[dhcp]";

/// Reads the text of `file`; the name only serves the messages.
pub fn parse(file: &str, text: &str) -> Result<Config, Mistakes> {
    let mut notes = Notes::new(text);
    let config = read(text, &mut notes);
    match config {
        Some(config) if notes.is_empty() => Ok(config),
        _ => Err(Mistakes {
            file: file.to_owned(),
            mistakes: notes.into_sorted(),
        }),
    }
}

fn read(text: &str, notes: &mut Notes) -> Option<Config> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let message = format!("this is not TOML: {}", error.message());
        notes.add_unreadable(span, message);
    }
    let root = Section::new("the file", document.get_ref(), 0..0);
    root.check_keys(
        &[
            "director",
            "limits",
            "timeouts",
            "settings",
            "mark",
            "service",
            "dhcp",
            "masquerade",
            "forward",
        ],
        notes,
    );

    let limits = match Section::of(&root, LIMITS, notes) {
        Some(section) => limits::read(&section, notes),
        None => Default::default(),
    };
    let timeouts = match Section::of(&root, TIMEOUTS, notes) {
        Some(section) => timeouts::read(&section, notes),
        None => Default::default(),
    };
    let settings = match Section::of(&root, SETTINGS, notes) {
        Some(section) => settings::read(&section, notes),
        None => Default::default(),
    };
    let director = match Section::of(&root, DIRECTOR, notes) {
        Some(section) => director::read(&section, notes),
        None => {
            no_director(&root, notes);
            None
        }
    };
    let sections = Section::all_of(&root, MARK, "mark", notes);
    let outer = director.as_ref().and_then(|d| d.outer.as_deref());
    let marks = marks::read(&sections, outer, notes);
    let sections = Section::all_of(&root, SERVICE, "service", notes);
    let vips = director.as_ref().map(|d| d.vips.as_slice());
    let services = services::read(&sections, vips, limits, notes);

    let names = services::names(&sections, &services, notes);
    let dhcp = Section::of(&root, DHCP, notes);
    let dhcp = dhcp.map(|section| dhcp::read(&section, &names, notes));

    let sections = Section::all_of(&root, MASQUERADE, "masquerade", notes);
    let network_masquerades = masquerade::read(&sections, notes);
    let sections = Section::all_of(&root, FORWARD, "forward", notes);
    let forwards = forward::read(&sections, &services, &marks, notes);

    let Director {
        name,
        outer,
        inner,
        vips,
        vips_in_use,
        masquerade,
        deny,
        attach,
    } = director?;
    Some(Config {
        name,
        outer: outer?,
        inner,
        vips,
        vips_in_use,
        masquerade,
        network_masquerades,
        forwards,
        attach,
        deny,
        limits,
        timeouts,
        settings,
        marks,
        services,
        dhcp,
    })
}

fn no_director(root: &Section, notes: &mut Notes) {
    if root.value("director").is_some() {
        return;
    }
    let message = "there is no [director]; add one that names the outer and inner interfaces \
                   and the vips";
    notes.add_missing(0..0, message.to_owned());
}
