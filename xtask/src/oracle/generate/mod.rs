//! Draws sequences: tables that are built up, edited and torn down while connections
//! come and go, with listings in between.

mod queries;
mod script;
mod service;
mod tables;
mod traffic;
mod wrong;

use oracle::plan::{Plan, Sequence};

use super::draw::Draw;
use script::Script;

/// What a sequence is mainly about; every theme does a little of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Scheduling,
    Persistence,
    Thresholds,
    Datagrams,
    Marks,
    Faults,
}

const THEMES: [Theme; 6] = [
    Theme::Scheduling,
    Theme::Persistence,
    Theme::Thresholds,
    Theme::Datagrams,
    Theme::Marks,
    Theme::Faults,
];
/// Scheduling is half of what can go wrong.
const THEME_WEIGHTS: [usize; 6] = [8, 4, 3, 3, 4, 2];

/// One thing that a sequence does between its beginning and its last listings.
#[derive(Clone, Copy)]
enum Action {
    Connect,
    End,
    Talk,
    EditServer,
    AddServer,
    DeleteServer,
    EditService,
    DeleteService,
    AddService,
    List,
    Zero,
    Wrong,
    Set,
    Timeouts,
}

const ACTIONS: [(Action, usize); 14] = [
    (Action::Connect, 30),
    (Action::End, 14),
    (Action::Talk, 3),
    (Action::EditServer, 11),
    (Action::AddServer, 6),
    (Action::DeleteServer, 5),
    (Action::EditService, 5),
    (Action::DeleteService, 1),
    (Action::AddService, 2),
    (Action::List, 12),
    (Action::Zero, 1),
    (Action::Wrong, 4),
    (Action::Set, 2),
    (Action::Timeouts, 1),
];

pub fn plan(seed: u64, numbers: impl Iterator<Item = u32>) -> Plan {
    Plan {
        sequences: numbers.map(|number| sequence(seed, number)).collect(),
    }
}

fn sequence(seed: u64, number: u32) -> Sequence {
    let mut draw = Draw::new(seed, number);
    let theme = THEMES[draw.weighted(&THEME_WEIGHTS)];
    let mut script = Script::new(number, theme, draw);

    script.keep_one_service();
    for _ in 0..script.draw.weighted(&[0, 6, 3, 1]) {
        script.add_service();
    }
    let actions = script.draw.between(6, 16);
    for _ in 0..actions {
        act(&mut script);
    }
    script.last_listings();
    script.restore_settings();
    Sequence {
        number,
        steps: script.steps,
    }
}

fn act(script: &mut Script) {
    let mut weights: Vec<usize> = ACTIONS.iter().map(|(_, weight)| *weight).collect();
    if script.theme == Theme::Faults {
        for ((action, _), weight) in ACTIONS.iter().zip(&mut weights) {
            if let Action::Wrong = action {
                *weight *= 8;
            }
        }
    }
    match ACTIONS[script.draw.weighted(&weights)].0 {
        Action::Connect => script.connect(),
        Action::End => script.end(),
        Action::Talk => script.talk(),
        Action::EditServer => script.edit_server(),
        Action::AddServer => script.add_server(),
        Action::DeleteServer => script.delete_server(),
        Action::EditService => script.edit_service(),
        Action::DeleteService => script.delete_service(),
        Action::AddService => script.add_service(),
        Action::List => script.list(),
        Action::Zero => script.zero(),
        Action::Wrong => script.wrong(),
        Action::Set => script.set(),
        Action::Timeouts => script.timeouts(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_plan_again() {
        let sequences = || plan(42, 0..20).sequences;

        assert_eq!(sequences(), sequences());
        assert_ne!(sequences(), plan(43, 0..20).sequences);
    }

    #[test]
    fn every_theme_and_every_kind_of_step_is_drawn() {
        let text: String = plan(1, 0..300)
            .sequences
            .iter()
            .flat_map(|sequence| &sequence.steps)
            .map(|step| format!("{step}\n"))
            .collect();

        for part in [
            "-s mh", "-s lblcr", "-s ovf", "-p ", "-M ", "-x ", "-y ", " -o", "-f 3", "open #",
            "close #", "reset #", "talk #", "datagram", "set ", "-Lnc", "-Sn", "-E ", "-Z",
            "--set",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }
}
