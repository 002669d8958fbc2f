//! Ten thousand services through a director: restored, listed, and changed by
//! one command at a time, as an administrator meets them.

use std::io::Write;
use std::net::SocketAddrV4;
use std::process::{Command as Program, Stdio};
use std::time::Instant;

use vsnat_api::{Command, Protocol, ServerSpec, ServiceKey, Weight};
use vsnat_director::Client;
use vsnat_lab::{
    Cluster, Director, DirectorOptions, INNER_INTERFACE, LabName, OUTER_INTERFACE, Plan, VIP,
};

use crate::Sample;
use crate::scale::report::{Goal, Report};
use crate::scale::{ScaleError, Setup, Sizes};

/// Of a command on the daemon's side, its way to and fro included.
const CHANGE_US: f64 = 1_000.0;
/// Restoring and listing take seconds, not minutes.
const PATIENCE_S: f64 = 10.0;
const FIRST_PORT: u32 = 1_001;

pub(super) fn measure(setup: &Setup, report: &mut Report<'_>) -> Result<(), ScaleError> {
    let sizes = &setup.sizes;
    let lab = LabName::new(&format!("scale{}", std::process::id() % 100_000))?;
    let cluster = Cluster::build(
        &lab,
        &Plan {
            servers: 1,
            ..Plan::default()
        },
    )?;
    let options = DirectorOptions {
        config: config(sizes),
        ..DirectorOptions::new(&setup.vsnat, &lab)
    };
    let director = Director::start(options.clone())?;
    let size = format!(
        "{} services × {} servers",
        sizes.services, sizes.servers_each
    );

    let start = Instant::now();
    restore(setup, &director, &saved(sizes))?;
    let lasted = start.elapsed().as_secs_f64();
    report.goal(
        format!("{size}: ipvsadm -R"),
        lasted,
        "s",
        Goal::Below(PATIENCE_S),
    );
    let start = Instant::now();
    let lines = director.ipvsadm(&["-Ln"])?.lines().count();
    let lasted = start.elapsed().as_secs_f64();
    report.goal(
        format!("{size}: ipvsadm -Ln"),
        lasted,
        "s",
        Goal::Below(PATIENCE_S),
    );
    const TITLE: u32 = 3;
    let wanted = sizes.services * (sizes.servers_each + 1) + TITLE;
    let goal = Goal::Exactly(f64::from(wanted));
    report.goal(format!("{size}: lines of it"), lines as f64, "", goal);
    change(&director, sizes, &size, report)?;

    let start = Instant::now();
    director.stop(vsnat_lab::Stop::LeaveForwarding)?;
    let director = Director::start(options)?;
    let lasted = start.elapsed().as_secs_f64();
    let case = format!("{size}: the director restarted, all adopted");
    report.goal(case, lasted, "s", Goal::Below(PATIENCE_S));
    director.stop(vsnat_lab::Stop::Remove)?;
    drop(cluster);
    Ok(())
}

/// One server more and one less, each by a client that connects anew.
fn change(
    director: &Director,
    sizes: &Sizes,
    size: &str,
    report: &mut Report<'_>,
) -> Result<(), ScaleError> {
    let client = Client::new(None, &director.socket());
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for change in 0..sizes.changes {
        let service = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: address(change.wrapping_mul(0x9e37_79b1) % sizes.services).into(),
        };
        let address = server(sizes.servers_each + 1);
        let server = ServerSpec::new(address, Weight::ONE);
        added.push(timed(&client, Command::AddServer { service, server })?);
        removed.push(timed(
            &client,
            Command::DeleteServer {
                service,
                address: address.into(),
            },
        )?);
    }
    for (what, times) in [("ipvsadm -a", added), ("ipvsadm -d", removed)] {
        let times = Sample::new(times);
        let us = |ns: u32| f64::from(ns) / 1e3;
        let case = format!("{size}: {what}, sent, done and answered, median");
        report.goal(case, us(times.median_ns()), "µs", Goal::Below(CHANGE_US));
        let case = format!("{size}: {what}, sent, done and answered, 99 of 100");
        report.figure(case, us(times.quantile_ns(99)), "µs");
    }
    Ok(())
}

fn timed(client: &Client, command: Command) -> Result<u32, ScaleError> {
    let start = Instant::now();
    for result in client.commands(vec![command])? {
        result?;
    }
    Ok(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX))
}

fn restore(setup: &Setup, director: &Director, text: &str) -> Result<(), ScaleError> {
    let doing = "restore the services by ipvsadm -R";
    let mut child = Program::new(&setup.vsnat)
        .args(["ipvsadm", "-R"])
        .env(vsnat_api::SOCKET_ENV, director.socket())
        .stdin(Stdio::piped())
        .spawn()
        .map_err(ScaleError::io(doing))?;
    if let Some(mut input) = child.stdin.take() {
        let written = input.write_all(text.as_bytes());
        written.map_err(ScaleError::io(doing))?;
    }
    let status = child.wait().map_err(ScaleError::io(doing))?;
    match status.success() {
        true => Ok(()),
        false => Err(ScaleError::io(doing)(std::io::Error::other(
            status.to_string(),
        ))),
    }
}

/// What `ipvsadm -S -n` would have saved.
fn saved(sizes: &Sizes) -> String {
    let mut text = String::new();
    for number in 0..sizes.services {
        let service = address(number);
        text += &format!("-A -t {service} -s wlc\n");
        for place in 0..sizes.servers_each {
            text += &format!("-a -t {service} -r {} -m -w 1\n", server(place));
        }
    }
    text
}

fn config(sizes: &Sizes) -> String {
    let services = sizes.services + 16;
    let servers = sizes.services * sizes.servers_each + sizes.changes + 16;
    format!(
        "[director]\nouter = \"{OUTER_INTERFACE}\"\ninner = [\"{INNER_INTERFACE}\"]\n\
         vips = [\"{VIP}/24\"]\n\n[limits]\nservices = {services}\nservers = {servers}\n"
    )
}

fn address(number: u32) -> SocketAddrV4 {
    SocketAddrV4::new(VIP, (FIRST_PORT + number) as u16)
}

fn server(place: u32) -> SocketAddrV4 {
    const FIRST: u32 = 0x0a4d_0010;
    SocketAddrV4::new((FIRST + place).into(), 80)
}
