//! Lines that ipvsadm or the kernel refuses, and some that look as if they would.

use super::script::Script;

/// `S` stands for a service that may be there, `R` for a server that may be there.
const LINES: [&str; 61] = [
    "-A S",
    "-A S -s nosuch",
    "-A S -s rr -s wrr",
    "-A S -o",
    "-A S -p 0",
    "-A S -p abc",
    "-A S -p 99999999",
    "-A S -p 60 -M 255.0.255.0",
    "-A S -p 60 -M abc",
    "-A S -M 255.255.255.0",
    "-A S -b nosuch",
    "-A S -b sh-port,nosuch",
    "-A S -w 1",
    "-A S -m",
    "-A",
    "-A -t 10.0.1.103:0",
    "-A -t 10.0.1.103:0 -s rr",
    "-A -t 10.0.1.103:70000",
    "-A -t 10.0.1.103",
    "-A -t 10.0.1.300:80",
    "-A -t 80",
    "-A -t 10.0.1.103:80 -u 10.0.1.103:80",
    "-A -t 10.0.1.103:80 -f 1",
    "-A -t 10.0.1.103:80 -t 10.0.1.103:81",
    "-A -f 0",
    "-A -f -1",
    "-A -f 4294967296",
    "-A -f abc",
    "-A -u 10.0.1.103:0 -o",
    "-E -t 10.0.1.103:99 -s rr",
    "-E S -s nosuch",
    "-D -t 10.0.1.103:99",
    "-D S -s rr",
    "-D S -b sh-port",
    "-D",
    "-a S",
    "-a -t 10.0.1.103:99 -r R -m",
    "-a S -r R -m -w -1",
    "-a S -r R -m -w abc",
    "-a S -r R -m -w 2147483648",
    "-a S -r R -m -x -1",
    "-a S -r R -m -x abc",
    "-a S -r R -m -y -1",
    "-e S -r R -m -y 5",
    "-e S -r R -m -x 2 -y 3",
    "-e S -r 10.32.255.254:80 -m",
    "-e S -r R -m -m",
    "-d S -r 10.32.255.254:80",
    "-d S -r R -m",
    "-d S",
    "-Z -t 10.0.1.103:99",
    "-Z S -s rr",
    "-Ln -t 10.0.1.103:99",
    "-Ln -c --stats",
    "-Ln --timeout --stats",
    "-L --timeout --daemon",
    "-C -n",
    "--set 1 2",
    "--set 1 2 99999999",
    "-Q",
    "list",
];

impl Script {
    pub fn wrong(&mut self) {
        let service = match self.any_service() {
            Some(index) => self.services[index].key.words().join(" "),
            None => "-t 10.0.1.102:80".to_owned(),
        };
        let server = match self.any_server() {
            Some((service, server)) => self.services[service].servers[server].word(),
            None => "10.32.255.253:80".to_owned(),
        };
        let words: Vec<String> = self
            .draw
            .pick(&LINES)
            .split_whitespace()
            .map(|word| match word {
                "S" => service.clone(),
                "R" => server.clone(),
                word => word.to_owned(),
            })
            .collect();
        self.line(&words.join(" "));
    }
}
