//! The committed scripts, replayed: nothing that must not happen does, and
//! together they reach every reason of the packet path that a model can.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::Path;

use vsnat_abi::counters::Reason;
use vsnat_fuzz::corpus;
use vsnat_fuzz::hunt::{Hunt, carry_out};
use vsnat_fuzz::world::World;

/// What no script reaches, and why.
const OUT_OF_REACH: [(Reason, &str); 2] = [
    (
        Reason::TemplateRace,
        "two CPUs within one step: a model is disturbed between steps only",
    ),
    (
        Reason::StandInsExhausted,
        "131,072 IPv6 clients at once: their script would take ten megabytes",
    ),
];

/// Scripts drawn anew in each run of the tests.
const DRAWN: u64 = 150;

#[test]
fn the_corpus_finds_nothing_and_reaches_every_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let scripts = corpus::read(&folder).unwrap();
    assert!(!scripts.is_empty(), "no script in {}", folder.display());
    let mut reached = BTreeSet::new();
    for (path, script) in scripts {
        let mut world = World::new();
        if let Err(finding) = carry_out(&mut world, &script) {
            panic!("{}: {finding}", path.display());
        }
        let these = Reason::ALL.into_iter().filter(|r| world.has_reached(*r));
        reached.extend(these.map(Reason::index));
    }
    for reason in Reason::ALL {
        let why = OUT_OF_REACH.iter().find(|(out, _)| *out == reason);
        let is_reached = reached.contains(&reason.index());
        let name = reason.name();
        match why {
            None => assert!(
                is_reached,
                "no script reaches {name}: add one (`cargo xtask fuzz --keep`), or say why none can"
            ),
            Some((_, why)) => assert!(!is_reached, "{name} is reached, so this is wrong: {why}"),
        }
    }
}

#[test]
fn what_a_script_says_is_what_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (path, script) in corpus::read(&folder).unwrap() {
        let again = vsnat_fuzz::Script::parse(&script.to_string()).unwrap();
        assert_eq!(again, script, "{}", path.display());
    }
}

#[test]
fn a_short_search_finds_nothing() {
    let mut hunt = Hunt::new(20_260);
    if let Err(found) = hunt.go_on_for(DRAWN) {
        panic!("{}\n{}", found.finding, found.script);
    }
}
