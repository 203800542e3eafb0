//! What opens a line into a pod: exec, attach, cp, port-forward; over WebSocket and over SPDY.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, GUARD, Kubectl, Protocol, Transport};

use crate::bed::{Bed, POD};
use crate::reads::config_map;

const MEGABYTES: usize = 5_000_000;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        exec_runs_a_command,
        exec_carries_input_to_its_end,
        exec_returns_the_exit_code,
        exec_keeps_the_two_outputs_apart,
        exec_carries_five_megabytes_both_ways,
        exec_gives_a_terminal,
        attach_shows_what_the_pod_prints,
        cp_copies_both_ways,
        port_forward_reaches_the_pod_again_and_again,
        readers_who_do_not_read_stall_nobody,
    ]
}

pub(crate) fn exec_runs_a_command(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    for (transport, verb) in [(Transport::WebSocket, "get"), (Transport::Spdy, "create")] {
        let kubectl = bed.kubectl("alice", "east")?.over(transport);
        let marker = format!("marker-{transport:?}");
        ensure!(kubectl.ok(&["exec", POD, "--", "echo", &marker])?.trim() == marker);
        // A WebSocket is opened by GET and SPDY by POST: the cluster tells which one was spoken.
        let event = bed.audit("east").wait_for("the exec", |event| event.request_uri.contains(&marker))?;
        ensure!(event.verb == verb, "{transport:?} was not spoken: {}", event.verb);
        ensure!(event.response_status.as_ref().is_some_and(|status| status.code == 101), "{event:?}");
    }
    Ok(())
}

pub(crate) fn exec_carries_input_to_its_end(bed: &Bed) -> Result<()> {
    over_both(bed, |kubectl| {
        let counted = kubectl.feed(&["exec", "-i", POD, "--", "wc", "-c"], b"abc\nd")?;
        ensure!(counted.text().trim() == "5", "{} {}", counted.text(), counted.stderr);
        let closed = kubectl.feed(&["exec", "-i", POD, "--", "sh", "-c", "cat >/dev/null; echo done"], b"x")?;
        ensure!(closed.text().trim() == "done", "the end of the input did not arrive: {}", closed.stderr);
        Ok(())
    })
}

pub(crate) fn exec_returns_the_exit_code(bed: &Bed) -> Result<()> {
    over_both(bed, |kubectl| {
        let ended = kubectl.run(&["exec", POD, "--", "sh", "-c", "exit 7"])?;
        ensure!(ended.code == 7, "{} {}", ended.code, ended.stderr);
        Ok(())
    })
}

pub(crate) fn exec_keeps_the_two_outputs_apart(bed: &Bed) -> Result<()> {
    over_both(bed, |kubectl| {
        let told = kubectl.run(&["exec", POD, "--", "sh", "-c", "echo out; echo err >&2"])?;
        ensure!(told.text() == "out\n" && told.stderr.contains("err\n"), "{} {}", told.text(), told.stderr);
        Ok(())
    })
}

pub(crate) fn exec_carries_five_megabytes_both_ways(bed: &Bed) -> Result<()> {
    over_both(bed, |kubectl| {
        let sent: Vec<u8> = (0..MEGABYTES).map(|index| u8::try_from(index % 251).unwrap_or_default()).collect();
        let back = kubectl.feed(&["exec", "-i", POD, "--", "cat"], &sent)?;
        ensure!(back.code == 0, "{}", back.stderr);
        ensure!(back.stdout == sent, "{} of {MEGABYTES} bytes came back, or other ones", back.stdout.len());
        Ok(())
    })
}

pub(crate) fn exec_gives_a_terminal(bed: &Bed) -> Result<()> {
    over_both(bed, |kubectl| {
        let mut shell = kubectl.start_on_terminal(&["exec", "-it", POD, "--", "sh"])?;
        shell.wait_for("/ #")?;
        shell.type_in("tty; echo $((40+2))\n")?;
        shell.wait_for("/dev/pts")?;
        shell.wait_for("42")?;
        shell.type_in("exit 3\n")?;
        let end = shell.wait_for_end()?;
        ensure!(end.code() == Some(3), "{end}");
        Ok(())
    })
}

pub(crate) fn attach_shows_what_the_pod_prints(bed: &Bed) -> Result<()> {
    over_both(bed, |kubectl| kubectl.start(&["attach", POD])?.wait_for("tick"))
}

pub(crate) fn cp_copies_both_ways(bed: &Bed) -> Result<()> {
    over_both(bed, |kubectl| {
        let dir = tempfile::tempdir()?;
        let (there, back) = (dir.path().join("there"), dir.path().join("back"));
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&there, &bytes)?;
        let remote = format!("{POD}:/tmp/{}", dir.path().file_name().context("a name")?.to_string_lossy());
        kubectl.ok(&["cp", &there.to_string_lossy(), &remote])?;
        kubectl.ok(&["cp", &remote, &back.to_string_lossy()])?;
        ensure!(std::fs::read(&back)? == bytes, "other bytes came back");
        Ok(())
    })
}

pub(crate) fn port_forward_reaches_the_pod_again_and_again(bed: &Bed) -> Result<()> {
    over_both(bed, |kubectl| {
        let mut forward = kubectl.start(&["port-forward", "--address=127.0.0.1", POD, ":8080"])?;
        forward.wait_for("Forwarding from 127.0.0.1:")?;
        let port = forwarded_port(&forward.output())?;
        for _ in 0..5 {
            let page = fetch(port)?;
            ensure!(page.contains("hello-from-pod"), "{page}");
        }
        ensure!(forward.is_alive()?, "{}", forward.output());
        Ok(())
    })
}

pub(crate) fn readers_who_do_not_read_stall_nobody(bed: &Bed) -> Result<()> {
    // Answers far larger than all windows on the way, of which nobody takes more than the first bytes.
    let (admin, alice) = (bed.admin("east")?, bed.gate().session("alice")?);
    let large = "x".repeat(900_000);
    for number in 0..8 {
        admin.apply_large(&config_map(&format!("large-{number}"), "large", &large))?;
    }
    let request = format!(
        "GET /k8s/clusters/east/api/v1/namespaces/dev/configmaps?labelSelector=case%3Dlarge HTTP/1.1\r\n\
         Host: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        bed.gate().authority(),
        alice.token
    );
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(bed.gate().https()?.open(request.as_bytes())?);
    }
    for _ in 0..40 {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let path = format!("/k8s/clusters/east/api/v1/namespaces/dev/pods/{POD}");
            let answer = bed.gate().get(protocol, &path, &alice)?;
            ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        }
    }
    drop(held);
    admin.ok(&["delete", "configmaps", "-l", "case=large", "--wait=false"])?;
    Ok(())
}

/// The local port that kubectl chose.
pub(crate) fn forwarded_port(output: &str) -> Result<u16> {
    let (_, rest) = output.split_once("127.0.0.1:").context("no port told")?;
    Ok(rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse()?)
}

fn fetch(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(GUARD))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

fn over_both(bed: &Bed, prove: impl Fn(&Kubectl) -> Result<()>) -> Result<()> {
    bed.needs_a_node()?;
    for transport in [Transport::WebSocket, Transport::Spdy] {
        prove(&bed.kubectl("alice", "east")?.over(transport)).with_context(|| format!("over {transport:?}"))?;
    }
    Ok(())
}
