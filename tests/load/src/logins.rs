//! Proxied requests while people log in and their programs refresh tokens, against the same requests without.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use comfy_table::Table;
use testbed::programs::say;

use crate::Plan;
use crate::client::Client;
use crate::contender::{Contender, Gatewarden, Ground};
use crate::pace::{Kept, Pace};
use crate::table::{median, millis, tell, with_columns};
use crate::visitor::{Tokens, Visitor};

/// What is proxied in a minute: far from what the gateway can carry, so that what shows is waiting and not a queue.
const REQUESTS: u32 = 60_000;
const REFRESHES: u32 = 2_000;
/// Each with a login by password in front: a code is given for nothing else.
const CODES: u32 = 500;
/// Connections that requests come over.
const CONNECTIONS: usize = 8;
/// Who refreshes and who logs in, at most so many at once.
const PEOPLE: usize = 8;
/// A window is so many times as long as a round of other cases: logins are few.
const LONGER: u32 = 5;

/// Who has logged in and refreshes, and who logs in.
struct Crowd {
    refreshing: Vec<(Visitor, Tokens)>,
    coming: Vec<Visitor>,
}

/// One window, with or without a crowd.
#[derive(Debug, Default)]
struct Window {
    requests: Kept,
    refreshes: Kept,
    codes: Kept,
    /// The gateway's processor time in all.
    cpu: Duration,
}

/// Measures, and prints the table.
///
/// # Errors
/// When anything is refused.
pub(crate) fn run(plan: &Plan, ground: &Ground) -> Result<()> {
    let gateway = Gatewarden::start_alone(ground, "logins")?;
    let who = gateway.contender()?;
    let mut clients = (0..CONNECTIONS).map(|_| Client::open(&who)).collect::<Result<Vec<_>>>()?;
    let mut crowd = Crowd::gather(&gateway)?;
    let lasts = Duration::from_secs((plan.seconds * LONGER).into());
    let (mut idle, mut busy) = (Vec::new(), Vec::new());
    // What the first requests find cold is no cost of what comes later.
    window(&who, &mut clients, None, Duration::from_secs(1))?;
    for round in 1..=plan.rounds {
        say(&format!("round {round} of {}: requests alone", plan.rounds));
        idle.push(window(&who, &mut clients, None, lasts)?);
        say(&format!("round {round} of {}: requests and logins", plan.rounds));
        busy.push(window(&who, &mut clients, Some(&mut crowd), lasts)?);
    }
    tell(&format!("\n{}\n\n{}", table(&idle, &busy, lasts), reached(&idle, &busy, lasts)));
    Ok(())
}

impl Crowd {
    fn gather(gateway: &Gatewarden) -> Result<Self> {
        let visitors = || (0..PEOPLE).map(|_| gateway.visitor());
        let logged_in = visitors().map(|visitor| {
            let mut visitor = visitor?;
            let tokens = visitor.tokens()?;
            Ok((visitor, tokens))
        });
        Ok(Self { refreshing: logged_in.collect::<Result<_>>()?, coming: visitors().collect::<Result<_>>()? })
    }

    /// Comes at the pace of the bar. A client's work is done elsewhere in life: here it yields to all else.
    fn come(&mut self, lasts: Duration) -> Result<(Kept, Kept)> {
        let refreshing = self.refreshing.iter_mut().map(|(visitor, tokens)| {
            move || {
                stand_back()?;
                *tokens = visitor.refresh(&tokens.refresh)?;
                Ok(())
            }
        });
        let coming = self.coming.iter_mut().map(|visitor| {
            move || {
                stand_back()?;
                visitor.tokens().map(drop)
            }
        });
        let (mut refreshing, mut coming) = (refreshing.collect::<Vec<_>>(), coming.collect::<Vec<_>>());
        thread::scope(|scope| {
            let refreshes = scope.spawn(|| Pace { per_minute: REFRESHES, lasts }.keep(&mut refreshing));
            let codes = Pace { per_minute: CODES, lasts }.keep(&mut coming)?;
            Ok((refreshes.join().map_err(|_| anyhow!("panicked"))??, codes))
        })
    }
}

fn window(who: &Contender, clients: &mut [Client], crowd: Option<&mut Crowd>, lasts: Duration) -> Result<Window> {
    let before = who.group.cpu()?;
    let mut asking: Vec<_> = clients.iter_mut().map(|client| || client.ask()).collect();
    let (requests, (refreshes, codes)) = thread::scope(|scope| {
        let come = scope.spawn(|| crowd.map_or_else(|| Ok(Default::default()), |crowd| crowd.come(lasts)));
        let requests = Pace { per_minute: REQUESTS, lasts }.keep(&mut asking)?;
        Ok::<_, anyhow::Error>((requests, come.join().map_err(|_| anyhow!("panicked"))??))
    })?;
    Ok(Window { requests, refreshes, codes, cpu: who.group.cpu()?.saturating_sub(before) })
}

/// The kernel gives this thread what others leave.
fn stand_back() -> Result<()> {
    Ok(rustix::process::setpriority_process(None, 19)?)
}

fn table(idle: &[Window], busy: &[Window], lasts: Duration) -> Table {
    let mut table = with_columns(["proxied", "requests/s", "p50", "p99", "gatewarden: CPU in a second"]);
    for (name, windows) in [("alone", idle), ("with logins", busy)] {
        table.add_row([
            name.to_owned(),
            format!("{:.0}", rate(windows, |window| &window.requests, lasts)),
            format!("{} ms", millis(percentile(windows, |window| &window.requests, 50))),
            format!("{} ms", millis(percentile(windows, |window| &window.requests, 99))),
            format!("{} ms", millis(median(windows.iter().map(|window| window.cpu.div_f64(lasts.as_secs_f64()))))),
        ]);
    }
    table
}

/// What came of the logins themselves.
fn reached(idle: &[Window], busy: &[Window], lasts: Duration) -> String {
    let p99 = |windows| percentile(windows, |window| &window.requests, 99).as_secs_f64();
    let of = |name: &str, asked: u32, what: fn(&Window) -> &Kept| {
        let each_minute = 60.0 * rate(busy, what, lasts);
        let (p50, p99) = (millis(percentile(busy, what, 50)), millis(percentile(busy, what, 99)));
        format!("{each_minute:.0} of {asked} {name} a minute (p50 {p50} ms, p99 {p99} ms)")
    };
    let refreshes = of("refreshes", REFRESHES, |window| &window.refreshes);
    let codes = of("logins by password with their codes", CODES, |window| &window.codes);
    format!(
        "with {refreshes} and {codes}, the p99 of proxied requests is {:.2} times that of alone.",
        p99(busy) / p99(idle)
    )
}

fn percentile(windows: &[Window], what: fn(&Window) -> &Kept, percent: usize) -> Duration {
    median(windows.iter().map(|window| what(window).percentile(percent)))
}

/// How many were done in a second.
fn rate(windows: &[Window], what: fn(&Window) -> &Kept, lasts: Duration) -> f64 {
    let counts = windows.iter().map(|window| Duration::from_secs(what(window).count() as u64));
    median(counts).as_secs_f64() / lasts.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(took: &[u64]) -> Vec<Window> {
        let one = |millis: &u64| {
            let kept = || Kept::of((0..200).map(|_| Duration::from_millis(*millis)));
            Window { requests: kept(), refreshes: kept(), codes: kept(), cpu: Duration::from_millis(*millis) }
        };
        took.iter().map(one).collect()
    }

    #[test]
    fn what_is_told_is_the_median_round_and_its_ratio() {
        let (idle, busy, lasts) = (windows(&[1, 2, 9]), windows(&[3, 30, 1]), Duration::from_secs(2));
        let table = table(&idle, &busy, lasts).to_string();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(rows.len(), 2, "{table}");
        for (row, name, time, cpu) in [(0, "alone", "2.0 ms", "1.0 ms"), (1, "with logins", "3.0 ms", "1.5 ms")] {
            let cells: Vec<&str> = rows[row].split('|').map(str::trim).collect();
            assert_eq!(cells, ["", name, "100", time, time, cpu, ""]);
        }
        let told = reached(&idle, &busy, lasts);
        assert!(told.starts_with("with 6000 of 2000 refreshes a minute (p50 3.0 ms, p99 3.0 ms)"), "{told}");
        assert!(told.ends_with("is 1.50 times that of alone."), "{told}");
    }
}
