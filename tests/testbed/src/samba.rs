//! Samba as an Active Directory domain controller, with people in every state.
//!
//! It listens on the ports of the protocol (389, 636, 3268, 3269, 88, 464) at the loopback address and nowhere else, so
//! there is one at a time in a network namespace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::kubectl::run_with_input;
use crate::pki::Ca;
use crate::process::Process;
use crate::state::StateDir;
use crate::{netns, packages, wait};

const NAME: &str = "samba";
/// The tools take `localhost` for the name of the machine, and look for that in the certificate.
const TOOLS_URL: &str = "ldaps://127.0.0.1:636";
const REALM: &str = "AD.TEST";

/// A running domain controller. Stops when dropped.
#[derive(Debug)]
pub struct Samba {
    state: StateDir,
    ca: Ca,
    process: Option<Process>,
}

impl Samba {
    /// The root of the tree.
    pub const BASE: &'static str = "DC=ad,DC=test";
    /// The domain's NetBIOS name, as in `ADTEST\alice`.
    pub const DOMAIN: &'static str = "ADTEST";
    /// The end of user principal names, as in `alice@ad.test`.
    pub const SUFFIX: &'static str = "ad.test";
    /// The account by which a gateway searches.
    pub const SERVICE_DN: &'static str = "CN=Administrator,CN=Users,DC=ad,DC=test";
    /// Everybody's password.
    pub const PASSWORD: &'static str = "Passw0rd-23";

    /// Why it cannot run here; none when it can.
    pub fn unsupported() -> Option<String> {
        if std::env::var_os(netns::RUN_DIR).is_none() {
            return Some("Samba needs a network namespace of its own: use `testbed run`".into());
        }
        if !rustix::process::geteuid().is_root() {
            return Some("Samba needs root".into());
        }
        let missing: Vec<_> = packages::missing().into_iter().filter(|name| name.contains("samba")).collect();
        (!missing.is_empty()).then(|| format!("Samba needs {}: run `testbed fetch`", missing.join(", ")))
    }

    /// Makes a domain in `dir`, with everybody in it, and starts its controller.
    ///
    /// # Errors
    /// When Samba is not installed, or does not answer.
    pub fn start(dir: &Path) -> Result<Self> {
        let state = StateDir::create(dir)?;
        let ca = Ca::open(&state.path("pki"))?;
        ca.server(NAME, &["localhost", "127.0.0.1", "dc1.ad.test"])?;
        let mut samba = Self { state, ca, process: None };
        samba.provision()?;
        samba.state.write("smb.conf", &samba.config())?;
        samba.seed()?;
        samba.resume()?;
        Ok(samba)
    }

    /// `ldaps://localhost:636`
    pub fn ldaps_url(&self) -> String {
        "ldaps://localhost:636".to_owned()
    }

    /// The file with the CA of its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.certificate()
    }

    /// Changes the directory as its administrator, over LDAPS.
    ///
    /// # Errors
    /// When it refuses one of the changes.
    pub fn modify(&self, ldif: &str) -> Result<()> {
        let mut command = packages::command("ldapmodify")?;
        command.args(["-x", "-a", "-H", TOOLS_URL, "-D", Self::SERVICE_DN, "-w", Self::PASSWORD]);
        command.env("LDAPTLS_CACERT", self.ca_file());
        run_with_input(command, ldif.as_bytes())?.ok().context("ldapmodify")?;
        Ok(())
    }

    /// Stops it: a directory that is down.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop(Duration::from_secs(10)))
    }

    /// Starts it again, with the same data.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn resume(&mut self) -> Result<()> {
        let mut command = packages::command(NAME)?;
        command.arg("-s").arg(self.state.path("smb.conf")).args(["-i", "--no-process-group", "--debug-stdout"]);
        let process = Process::start(&self.state, NAME, command)?;
        wait::until("samba to answer", wait::START, || {
            process.check()?;
            let mut search = packages::command("ldapsearch")?;
            search.args(["-x", "-H", TOOLS_URL, "-D", Self::SERVICE_DN, "-w", Self::PASSWORD]);
            search.args(["-s", "base", "-b", Self::BASE, "dn"]).env("LDAPTLS_CACERT", self.ca_file());
            Ok(run_with_input(search, b"")?.success().then_some(()))
        })?;
        self.process = Some(process);
        Ok(())
    }

    fn provision(&self) -> Result<()> {
        let target = format!("--targetdir={}", self.state.path("prov").display());
        let attributes = format!("--option=posix:eadb={}", self.state.path("eadb.tdb").display());
        let password = format!("--adminpass={}", Self::PASSWORD);
        let arguments = [
            "domain",
            "provision",
            &target,
            &format!("--realm={REALM}"),
            &format!("--domain={}", Self::DOMAIN),
            &password,
            "--server-role=dc",
            "--dns-backend=NONE",
            "--host-name=dc1",
            "--host-ip=127.0.0.1",
            "--use-rfc2307",
            "--option=interfaces=lo",
            "--option=bind interfaces only=yes",
            "--option=vfs objects=",
            &attributes,
        ];
        let mut command = packages::command("samba-tool")?;
        command.args(arguments);
        run_with_input(command, b"")?.ok().context("samba-tool domain provision")?;
        for part in ["run", "ncalrpc", "ntp", "wb"] {
            std::fs::create_dir_all(self.state.path(&format!("prov/{part}")))?;
        }
        Ok(())
    }

    fn config(&self) -> String {
        let path = |part: &str| self.state.path(part).display().to_string();
        CONFIG.replace("@prov", &path("prov")).replace("@pki", &path("pki"))
    }

    /// Everybody, while the server runs; and one password too old, which the raw partition alone takes.
    fn seed(&mut self) -> Result<()> {
        self.resume()?;
        let mut ldif = format!("dn: OU=Elsewhere,{}\nobjectClass: organizationalUnit\n", Self::BASE);
        for (login, state) in PEOPLE {
            ldif.push('\n');
            ldif.push_str(&Self::person(login, Self::PASSWORD, state));
        }
        for (group, members) in GROUPS {
            ldif.push_str(&format!(
                "\ndn: CN={group},CN=Users,{}\nobjectClass: group\nsAMAccountName: {group}\n",
                Self::BASE
            ));
            for member in members {
                ldif.push_str(&format!("member: CN={member},CN=Users,{}\n", Self::BASE));
            }
        }
        // A cycle cannot be there before both ends are.
        ldif.push_str(&format!(
            "\ndn: CN=loop,CN=Users,{0}\nchangetype: modify\nadd: member\nmember: CN=all,CN=Users,{0}\n",
            Self::BASE
        ));
        self.modify(&ldif)?;
        self.stop()?;
        let mut command = packages::command("ldbmodify")?;
        command.arg("-H").arg(self.state.path("prov/private/sam.ldb.d/DC=AD,DC=TEST.ldb"));
        let aged = format!(
            "dn: CN=aged,CN=Users,{}\nchangetype: modify\nreplace: pwdLastSet\npwdLastSet: 130000000000000000\n",
            Self::BASE
        );
        run_with_input(command, aged.as_bytes())?.ok().context("ldbmodify")?;
        Ok(())
    }

    /// The entry of a person, as LDIF, with lines for the state of the account.
    pub fn person(login: &str, password: &str, state: &str) -> String {
        let base = Self::BASE;
        let quoted: Vec<u8> = format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let password = BASE64_STANDARD.encode(quoted);
        format!(
            "dn: CN={login},CN=Users,{base}\nobjectClass: user\ncn: {login}\nsAMAccountName: {login}\n\
             userPrincipalName: {login}@{}\ndisplayName: {login} of {}\nsn: Test\nmail: {login}@{}\n\
             unicodePwd:: {password}\n{state}\n",
            Self::SUFFIX,
            Self::DOMAIN,
            Self::SUFFIX,
        )
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        let _ = self.stop(); // the reaper tries once more
    }
}

/// Everybody's login, and the lines that put their account into a state.
const PEOPLE: [(&str, &str); 7] = [
    ("alice", "userAccountControl: 512"),
    ("bob", "userAccountControl: 512"),
    ("carol", "userAccountControl: 512"),
    ("off", "userAccountControl: 514"),
    ("over", "userAccountControl: 512\naccountExpires: 130000000000000000"),
    ("newhere", "userAccountControl: 512\npwdLastSet: 0"),
    ("aged", "userAccountControl: 512"),
];

/// A group and its members.
type Group = (&'static str, &'static [&'static str]);

/// Groups and their members: alice is in dev, which is in eng, which is in all; and all and loop hold each other.
const GROUPS: [Group; 5] = [
    ("dev", &["alice", "bob"]),
    ("eng", &["dev", "carol"]),
    ("loop", &[]),
    ("all", &["eng", "loop"]),
    ("visitors", &[]),
];

const CONFIG: &str = "[global]
  netbios name = DC1
  realm = AD.TEST
  workgroup = ADTEST
  server role = active directory domain controller
  server services = ldap, kdc
  dcerpc endpoint servers = none
  interfaces = 127.0.0.1/8
  bind interfaces only = yes
  lock directory = @prov
  state directory = @prov/state
  cache directory = @prov/cache
  private dir = @prov/private
  pid directory = @prov/run
  binddns dir = @prov/bind-dns
  ncalrpc dir = @prov/ncalrpc
  ntp signd socket directory = @prov/ntp
  winbindd socket directory = @prov/wb
  tls enabled = yes
  tls keyfile = @pki/samba.key
  tls certfile = @pki/samba.crt
  tls cafile = @pki/ca.crt
  ldap server require strong auth = yes
  old password allowed period = 0
  prefork children = 1
  idmap_ldb:use rfc2307 = yes
  log level = 1
";
