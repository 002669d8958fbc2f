//! The format of a recording.

pub struct Recording {
    /// Words behind the name of the program.
    pub args: Vec<String>,
    pub exit_code: u8,
    pub stdout: String,
    pub stderr: String,
    /// The table as lines of `ipvsadm -Sn`.
    pub before: Vec<String>,
    pub after: Vec<String>,
    pub note: String,
}

impl Recording {
    pub fn read(text: &str) -> Self {
        let mut sections = text.split("\n--- ");
        let head = sections.next().expect("a head");
        let (command, exit_code) = head.split_once("\nrc=").expect("an exit code");
        let mut recording = Recording {
            args: args(command.trim_start_matches("$ ")),
            exit_code: exit_code.trim().parse().expect("an exit code of one byte"),
            stdout: String::new(),
            stderr: String::new(),
            before: Vec::new(),
            after: Vec::new(),
            note: String::new(),
        };
        let mut changed = false;
        for section in sections {
            let (name, body) = section.split_once(" ---").expect("the name of a section");
            match name {
                "stdout" => recording.stdout = output(body),
                "stderr" => recording.stderr = output(body),
                "table before (ipvsadm -Sn)" => recording.before = table(body),
                "table after (ipvsadm -Sn)" => {
                    recording.after = table(body);
                    changed = true;
                }
                "note" => recording.note = body.trim().to_owned(),
                other => panic!("unknown section {other:?}"),
            }
        }
        if !changed {
            recording.after = recording.before.clone();
        }
        recording
    }

    pub fn has(&self, arg: &str) -> bool {
        self.args.iter().any(|word| word == arg)
    }

    /// Whether the line lists connections.
    pub fn lists_connections(&self) -> bool {
        ["IPVS connection entries\n", "Pro FromIP "]
            .iter()
            .any(|title| self.stdout.starts_with(title))
    }

    /// Whether a file below `/proc` was read.
    pub fn reads_file(&self) -> bool {
        self.args.first().is_some_and(|word| word == "cat")
    }

    /// Whether the order of services is that of a hash table.
    pub fn is_unsorted(&self) -> bool {
        self.has("--nosort") || self.reads_file()
    }
}

/// The command is what is run last, without a redirection of its input.
fn args(command: &str) -> Vec<String> {
    let command = command.rsplit("; ").next().unwrap_or(command);
    let command = command.split(" < ").next().unwrap_or(command);
    let mut words = command.split(' ').map(|word| match word {
        "''" => String::new(),
        word => word.to_owned(),
    });
    // The save tool runs ipvsadm -S with the options it was given.
    match words.next().as_deref() {
        Some("ipvsadm") => words.collect(),
        Some("cat") => std::iter::once("cat".to_owned()).chain(words).collect(),
        Some("ipvsadm-save") => std::iter::once("-S".to_owned()).chain(words).collect(),
        other => panic!("a recording of {other:?}"),
    }
}

fn output(body: &str) -> String {
    // The last line end went with the head of the next section.
    match body.strip_prefix('\n') {
        Some(text) => format!("{text}\n"),
        None => String::new(),
    }
}

fn table(body: &str) -> Vec<String> {
    let lines = body.trim().lines().filter(|line| *line != "<empty>");
    lines.map(as_given).collect()
}

/// A line of the table as it can be read: ipvsadm saves marks as if they were
/// signed, and then refuses them.
fn as_given(line: &str) -> String {
    match line.split_once(" -f -") {
        Some((start, rest)) => {
            let (mark, settings) = rest.split_once(' ').expect("settings of a service");
            let mark: u32 = mark.parse().expect("a mark");
            format!("{start} -f {} {settings}", mark.wrapping_neg())
        }
        None => line.to_owned(),
    }
}
