//! What it costs a real API server to learn who asks, by each way in which a gateway can tell it.

use std::time::Duration;

use anyhow::Result;
use comfy_table::Table;
use testbed::programs::say;

use crate::contender::{ApiServer, Contender, Gatewarden, Ground, OBJECT, PERSON};
use crate::table::{median, micros, tell, with_columns};
use crate::{Plan, client};

/// One way to ask, and what all rounds of it cost.
struct Way {
    name: &'static str,
    who: Contender,
    rounds: Vec<Round>,
}

/// One round of one way, for each answered request.
struct Round {
    apiserver: Duration,
    gateway: Duration,
}

/// Connections, and requests at once on each: as many together as the API server answers without a queue.
const LOAD: (u32, u32) = (4, 4);

/// Measures, and prints the table.
///
/// # Errors
/// When a server does not start, or answers anything but 200.
pub(crate) fn run(plan: &Plan, ground: &Ground) -> Result<()> {
    say("a real API server, reached in three ways");
    let cluster = ApiServer::start_for_gateway(&ground.folder("identity-cluster"))?;
    cluster.let_read("--group=local:dev")?;
    let gateway = Gatewarden::start_in(ground, ("identity", &clusters(&cluster)?), Ok)?;
    cluster.trust(&gateway.ok(&["cluster", "authentication-config", "token"])?)?;
    let through = |id: &str| gateway.contender_for(format!("/k8s/clusters/{id}{OBJECT}"));
    let way = |name, who| Way { name, who, rounds: Vec::new() };
    let person = format!("local:{PERSON}");
    let mut ways = [
        way("certificate, nothing in front", cluster.contender_by_certificate(&person, "local:dev")?),
        way("impersonation headers", through("headers")?),
        way("bearer", through("token")?),
    ];
    for number in 1..=plan.rounds {
        for way in &mut ways {
            say(&format!("round {number} of {}: {}", plan.rounds, way.name));
            way.rounds.push(round(&way.who, &cluster, &gateway, plan.seconds)?);
        }
    }
    tell(&format!("\n{}", table(ways.iter().map(|way| (way.name, way.rounds.as_slice())))));
    Ok(())
}

fn round(who: &Contender, cluster: &ApiServer, gateway: &Gatewarden, seconds: u32) -> Result<Round> {
    let spent = || Ok::<_, anyhow::Error>((cluster.group()?.cpu()?, gateway.group().cpu()?));
    let before = spent()?;
    let answered = client::busy(who, LOAD.0, LOAD.1, Duration::from_secs(seconds.into()))?;
    let after = spent()?;
    let each = |before: Duration, after: Duration| after.saturating_sub(before).div_f64(answered as f64);
    Ok(Round { apiserver: each(before.0, after.0), gateway: each(before.1, after.1) })
}

/// The same API server twice: told by headers, and by tokens.
fn clusters(cluster: &ApiServer) -> Result<String> {
    let (server, ca) = cluster.address();
    let accounts = [("impersonator", cluster.account("impersonator")?), ("reviewer", cluster.account("reviewer")?)]
        .map(|(name, file)| format!("{name}: {{ tokenFile: {} }}", file.display()));
    let [headers, token] = [("headers", accounts.join(", ")), ("token", "identity: bearer".to_owned())]
        .map(|(id, how)| format!("  - {{ id: {id}, server: \"{server}\", caFile: {}, {how} }}\n", ca.display()));
    Ok(headers + &token)
}

fn table<'a>(ways: impl Iterator<Item = (&'a str, &'a [Round])>) -> Table {
    let mut table = with_columns(["the API server learns who asks by", "kube-apiserver: CPU", "gatewarden: CPU"]);
    let mut bare = None;
    for (name, rounds) in ways {
        let apiserver = median(rounds.iter().map(|round| round.apiserver));
        let gateway = median(rounds.iter().map(|round| round.gateway));
        let ratio = apiserver.as_secs_f64() / bare.get_or_insert(apiserver).as_secs_f64();
        let gateway = if bare == Some(apiserver) { String::new() } else { format!("{} us", micros(gateway)) };
        table.add_row([name.to_owned(), format!("{} us ({ratio:.2})", micros(apiserver)), gateway]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_compared_with_the_first() {
        let rounds = |times: &[u64]| -> Vec<Round> {
            let round =
                |time: &u64| Round { apiserver: Duration::from_micros(*time), gateway: Duration::from_micros(90) };
            times.iter().map(round).collect()
        };
        let (bare, headers) = (rounds(&[300, 200, 900]), rounds(&[450, 450, 10]));
        let table = table([("bare", bare.as_slice()), ("headers", &headers)].into_iter()).to_string();
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        let rows: Vec<_> = table.lines().skip(2).map(cells).collect();
        assert_eq!(rows, [["", "bare", "300.0 us (1.00)", "", ""], ["", "headers", "450.0 us (1.50)", "90.0 us", ""]]);
    }
}
