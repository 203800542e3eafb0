//! containerd with its root, state and socket in our folder.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::cluster::Ports;
use crate::process::Process;
use crate::state::StateDir;
use crate::{packages, wait};

use super::image;

/// The file that names our bridge, so that it can be removed by whoever clears up.
pub(super) const BRIDGE_FILE: &str = "ctr/bridge";

const IMAGES: [&str; 2] = ["docker.io/testbed/pause:1", "docker.io/testbed/busybox:1"];

pub(super) fn socket(state: &StateDir) -> String {
    state.path("ctr/c.sock").display().to_string()
}

pub(super) fn start(state: &StateDir, ports: Ports) -> Result<Process> {
    write_network(state, ports)?;
    let config = state.write("ctr/config.toml", &config(state, ports))?;
    let mut command = packages::command("containerd")?;
    command.arg("--config").arg(config).args(["--log-level", "warn"]);
    let process = Process::start(state, "containerd", command)?;
    wait::until("containerd to answer", wait::START, || {
        process.check()?;
        Ok(ctr(state)?.arg("version").output()?.status.success().then_some(()))
    })?;
    Ok(process)
}

/// Imports busybox under two names; pods and their sandboxes run the same bytes.
pub(super) fn import_image(state: &StateDir) -> Result<()> {
    let busybox = packages::find("busybox").context("busybox is not installed")?;
    let archive = state.path("ctr/image.tar");
    fs::write(&archive, image::archive(&fs::read(busybox)?, &IMAGES)?)?;
    let output = ctr(state)?.args(["images", "import"]).arg(&archive).output()?;
    ensure!(output.status.success(), "import the image: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn ctr(state: &StateDir) -> Result<std::process::Command> {
    let mut command = packages::command("ctr")?;
    command.args(["--address", &socket(state), "--namespace", "k8s.io"]);
    Ok(command)
}

/// Without `restrict_oom_score_adj` every pod dies on a machine whose root lacks CAP_SYS_RESOURCE.
fn config(state: &StateDir, ports: Ports) -> String {
    let [pause, _] = IMAGES;
    let path = |part: &str| state.path(part).display().to_string();
    format!(
        r#"version = 2
root = "{root}"
state = "{run}"
[grpc]
  address = "{socket}"
[ttrpc]
  address = "{socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{opt}"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{pause}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "{streams}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
"#,
        root = path("ctr/root"),
        run = path("ctr/state"),
        opt = path("ctr/opt"),
        cni = path("ctr/cni"),
        socket = socket(state),
        streams = ports.container_streams(),
    )
}

/// Pods reach each other over a bridge of their cluster. No masquerading: that would write iptables rules.
fn write_network(state: &StateDir, ports: Ports) -> Result<()> {
    let bridge = format!("tb{}", ports.number());
    let number = ports.number();
    let subnet = format!("10.{}.{}.0/24", 64 + number / 250 % 64, number % 250);
    let network = json!({
        "cniVersion": "1.0.0",
        "name": "testbed",
        "plugins": [
            {
                "type": "bridge", "bridge": bridge, "isGateway": true, "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "dataDir": state.path("ctr/ipam"),
                    "ranges": [[{"subnet": subnet}]],
                },
            },
            {"type": "loopback"},
        ],
    });
    state.write("ctr/cni/10-testbed.conflist", &network.to_string())?;
    state.write(BRIDGE_FILE, &bridge)?;
    Ok(())
}
