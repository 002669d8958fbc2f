//! The report as one page that needs nothing beside itself.

use std::fmt::Write as _;

use super::chart::escape;
use super::tables::{self, Table};
use super::{Report, svg};
use crate::experiment::WARM_UP_REQUESTS;

const STYLE: &str = "
  :root { color-scheme: light; }
  body { margin: 0; background: #f6f7f9; color: #1f2937; line-height: 1.5;
         font-family: system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif; }
  main { max-width: 1000px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
  h1 { font-size: 1.8rem; margin: 0 0 .25rem; }
  h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
  .lead { color: #4b5563; margin: 0 0 1.5rem; }
  .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 1rem; }
  .card { background: #fff; border: 1px solid #e5e7eb; border-radius: 8px; padding: 1rem 1.25rem; }
  .card b { display: block; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
  .card span { color: #6b7280; font-size: .9rem; }
  figure { margin: 1.5rem 0; background: #fff; border: 1px solid #e5e7eb; border-radius: 8px; padding: .5rem; }
  figure svg { display: block; width: 100%; height: auto; }
  .scroll { overflow-x: auto; background: #fff; border: 1px solid #e5e7eb; border-radius: 8px; margin: 0 0 1.25rem; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  caption { text-align: left; font-weight: 600; padding: .75rem 1rem .5rem; }
  th, td { padding: .4rem 1rem; text-align: right; border-top: 1px solid #eef0f3; white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; font-weight: 400; }
  thead th { color: #6b7280; font-weight: 600; }
  .first { border-left: 1px solid #e5e7eb; }
  thead th[colspan] { text-align: center; }
  .quoted { color: #6b7280; background: #fafafa; }
  pre { background: #111827; color: #e5e7eb; padding: 1rem; border-radius: 8px; overflow-x: auto; font-size: .85rem; }
  .met { color: #15803d; font-weight: 600; } .unmet { color: #b91c1c; font-weight: 600; }
  footer { color: #6b7280; font-size: .9rem; margin-top: 3rem; }
";

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut body = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        body,
        "<h1>Virtual server via NAT: the experiment</h1>\n<p class=\"lead\">{}</p>\n{}",
        escape(tables::heading(report).trim()),
        cards(report)
    );
    let _ = writeln!(body, "<figure>{}</figure>", svg::comparison(report));
    body.push_str("<h2>One server alone, and the virtual server</h2>\n");
    for table in [
        tables::alone(report),
        tables::virtual_server(report),
        tables::distribution(report),
    ] {
        body.push_str(&html_table(&table));
    }
    for line in tables::gain_lines(report) {
        let _ = writeln!(body, "<p>{}</p>", escape(&line));
    }
    body.push_str(&director(report));
    body.push_str(&unheld(report));
    body.push_str(&expectations(report));
    body.push_str(&method(report));
    document(&body)
}

fn document(body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>vsnat: virtual server against real server</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

fn cards(report: &Report) -> String {
    let mut cards = Vec::new();
    if let Some(gain) = report.gain() {
        cards.push((
            format!("{:.2} ×", gain.times),
            format!(
                "requests per second of {} servers against one",
                report.servers.len()
            ),
        ));
    }
    cards.push((
        report.failed().to_string(),
        "failed requests in all runs".to_owned(),
    ));
    if let Some(comparison) = report.comparison() {
        cards.push((
            format!("{:.3} ×", comparison.ratio),
            "of plain routing's rate through the director, unheld".to_owned(),
        ));
    }
    let mut text = "<div class=\"cards\">\n".to_owned();
    for (figure, meaning) in cards {
        let _ = writeln!(
            text,
            "<div class=\"card\"><b>{}</b><span>{}</span></div>",
            escape(&figure),
            escape(&meaning)
        );
    }
    text.push_str("</div>\n");
    text
}

fn director(report: &Report) -> String {
    let mut text = "<h2>At the director</h2>\n<pre>".to_owned();
    for command in &report.commands {
        let _ = writeln!(text, "director# {}", escape(command));
    }
    let _ = write!(
        text,
        "\ndirector# ipvsadm -Ln --stats\n{}</pre>\n",
        escape(&report.listing)
    );
    text
}

fn unheld(report: &Report) -> String {
    let Some(line) = tables::comparison_line(report) else {
        return String::new();
    };
    format!(
        "<h2>Unheld: what the director costs</h2>\n<figure>{}</figure>\n{}<p>{}</p>\n",
        svg::unheld(report),
        html_table(&tables::unheld(report)),
        escape(&line)
    )
}

fn expectations(report: &Report) -> String {
    let mut text = "<h2>Expected</h2>\n<ul>\n".to_owned();
    for expected in report.expectations() {
        let (class, verdict) = match expected.met {
            true => ("met", "met"),
            false => ("unmet", "not met"),
        };
        let _ = writeln!(
            text,
            "<li><span class=\"{class}\">{verdict}</span> – {}: {}</li>",
            escape(&expected.what),
            escape(&expected.found)
        );
    }
    text.push_str("</ul>\n");
    text
}

fn method(report: &Report) -> String {
    format!(
        "<h2>How this was measured</h2>\n\
         <p>Client, director and real servers are network namespaces of one machine, joined by \
         veth pairs and a bridge. Each request opens a connection of its own, from a source port \
         that the runs before it did not use, and is never tried again. A held server works on one request \
         at a time, first come, first served, as the machines of the original did; that is what \
         makes four of them faster than one on a machine whose processors they share.</p>\n\
         <p>Rates are as ab defines them: complete requests by total time, time per request \
         across all concurrent ones, transfer rate with headers. RS is reached by plain routing \
         through the director's namespace while no director runs. In the unheld part the two \
         paths take turns; the director is removed for each routed run and started anew for each \
         of its own, and {WARM_UP_REQUESTS} requests before each run are not counted.</p>\n\
         <p>Grey columns and hollow points quote the original experiment (kernel 2.4, Apache in \
         virtual machines). Everything else was measured in this run.</p>\n\
         <footer>vsnat {} · kernel {} · {} CPUs</footer>\n",
        report.version,
        escape(&report.machine.kernel),
        report.machine.cpus
    )
}

fn html_table(table: &Table) -> String {
    let mut text = format!(
        "<div class=\"scroll\"><table>\n<caption>{}</caption>\n<thead>\n{}<tr><th>{}</th>",
        escape(&table.title),
        group_row(table),
        escape(table.label)
    );
    let headings: Vec<&String> = table.groups.iter().flat_map(|(_, all)| all).collect();
    text.push_str(&cells(table, "th", headings));
    text.push_str("</tr>\n</thead>\n<tbody>\n");
    for (label, row) in &table.rows {
        let _ = write!(text, "<tr><td>{}</td>", escape(label));
        text.push_str(&cells(table, "td", row.iter().collect()));
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table></div>\n");
    text
}

fn group_row(table: &Table) -> String {
    if table.groups.iter().all(|(title, _)| title.is_empty()) {
        return String::new();
    }
    let groups = table.groups.iter().enumerate();
    let cells = groups.map(|(index, (title, columns))| {
        let (class, span) = (group_class(index, 0), columns.len());
        let title = escape(title);
        format!("<th colspan=\"{span}\" class=\"{class}\">{title}</th>")
    });
    format!("<tr><th></th>{}</tr>\n", cells.collect::<String>())
}

fn cells(table: &Table, tag: &str, values: Vec<&String>) -> String {
    let groups = table.groups.iter().enumerate();
    let classes = groups.flat_map(|(group, (_, columns))| {
        (0..columns.len()).map(move |column| group_class(group, column))
    });
    values
        .into_iter()
        .zip(classes)
        .map(|(value, class)| format!("<{tag} class=\"{class}\">{}</{tag}>", escape(value)))
        .collect()
}

/// The second group of a table quotes the original.
fn group_class(group: usize, column: usize) -> &'static str {
    match (group, column) {
        (0, 0) => "first",
        (0, _) => "",
        (_, 0) => "first quoted",
        (_, _) => "quoted",
    }
}
