//! OpenLDAP's slapd with the directory of `data/directory.ldif`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::crowd::Crowd;
use crate::kubectl::{Output, run_with_input};
use crate::pki::Ca;
use crate::process::Process;
use crate::state::StateDir;
use crate::{packages, ports, reaper, wait};

/// The whole directory, as people read it.
const DIRECTORY: &str = include_str!("../data/directory.ldif");

const NAME: &str = "slapd";
const ADMIN: &str = "cn=admin,dc=example,dc=org";
const ADMIN_PASSWORD: &str = "admin-secret";

/// A running directory. Stops when dropped, unless it was detached.
#[derive(Debug)]
pub struct Slapd {
    state: StateDir,
    ports: Ports,
    ca: Ca,
    process: Option<Process>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    ldap: u16,
    ldaps: u16,
}

impl Slapd {
    /// The root of the tree.
    pub const BASE: &'static str = "dc=example,dc=org";
    /// The account by which a gateway searches.
    pub const SERVICE_DN: &'static str = "cn=gatewarden,ou=services,dc=example,dc=org";
    /// Its password.
    pub const SERVICE_PASSWORD: &'static str = "gatewarden-secret";

    /// Starts a directory in `dir` on free ports and fills it.
    ///
    /// # Errors
    /// When slapd is not installed, ends early, or refuses an entry.
    pub fn start(dir: &Path) -> Result<Self> {
        let state = StateDir::create(dir)?;
        let ca = Ca::open(&state.path("pki"))?;
        ca.server(NAME, &["localhost", "127.0.0.1"])?;
        let ports = Ports { ldap: ports::free()?, ldaps: ports::free()? };
        let mut slapd = Self { state, ports, ca, process: None };
        slapd.write_config()?;
        slapd.resume()?;
        slapd.modify(DIRECTORY)?;
        Ok(slapd)
    }

    /// Starts the same with a crowd in it, loaded before slapd runs.
    ///
    /// # Errors
    /// As [`Slapd::start`].
    pub fn start_crowded(dir: &Path, crowd: &Crowd) -> Result<Self> {
        let mut slapd = Self::start(dir)?;
        slapd.stop()?;
        let ldif = slapd.state.write("crowd.ldif", &crowd.ldif())?;
        let mut command = packages::command("slapadd")?;
        command.arg("-f").arg(slapd.state.path("slapd.conf")).arg("-q").arg("-l").arg(ldif);
        run_with_input(command, b"")?.ok().context("slapadd")?;
        slapd.resume()?;
        Ok(slapd)
    }

    /// `ldap://localhost:<port>`, which also speaks StartTLS.
    pub fn ldap_url(&self) -> String {
        format!("ldap://localhost:{}", self.ports.ldap)
    }

    /// `ldaps://localhost:<port>`
    pub fn ldaps_url(&self) -> String {
        format!("ldaps://localhost:{}", self.ports.ldaps)
    }

    /// The file with the CA of its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.certificate()
    }

    /// Changes the directory as its administrator: entries are added, `changetype:` does the rest.
    ///
    /// # Errors
    /// When the directory refuses one of the changes.
    pub fn modify(&self, ldif: &str) -> Result<()> {
        self.admin_tool("ldapmodify", &["-a"], ldif)?.ok().context("ldapmodify")?;
        Ok(())
    }

    /// Searches as its administrator and returns the entries as LDIF.
    ///
    /// # Errors
    /// When the directory refuses the search.
    pub fn search(&self, filter: &str, attributes: &[&str]) -> Result<String> {
        let arguments = [&["-LLL", "-o", "ldif-wrap=no", "-b", Self::BASE, filter], attributes].concat();
        self.admin_tool("ldapsearch", &arguments, "")?.ok().context("ldapsearch")
    }

    /// What slapd wrote about every operation.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.state.log(NAME))?)
    }

    /// Stops it: a directory that is down.
    ///
    /// # Errors
    /// When it survives.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop(Duration::from_secs(10)))
    }

    /// Starts it again, on the same ports with the same data.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn resume(&mut self) -> Result<()> {
        let mut command = packages::command(NAME)?;
        let urls = format!("ldap://127.0.0.1:{} ldaps://127.0.0.1:{}", self.ports.ldap, self.ports.ldaps);
        // A debug level keeps it in the foreground, so that its pid is the one we know.
        command.arg("-f").arg(self.state.path("slapd.conf")).args(["-h", &urls, "-d", "stats"]);
        let process = Process::start(&self.state, NAME, command)?;
        wait::until("slapd to answer", wait::START, || {
            process.check()?;
            Ok(self.admin_tool("ldapwhoami", &[], "")?.success().then_some(()))
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Leaves it running when this value goes; [`crate::down()`] stops it.
    pub fn detach(mut self) {
        reaper::forget(self.state.root());
        if let Some(process) = &mut self.process {
            process.detach();
        }
    }

    fn admin_tool(&self, tool: &str, arguments: &[&str], input: &str) -> Result<Output> {
        let mut command = packages::command(tool)?;
        let url = format!("ldap://127.0.0.1:{}", self.ports.ldap);
        command.args(["-x", "-H", &url, "-D", ADMIN, "-w", ADMIN_PASSWORD]).args(arguments);
        run_with_input(command, input.as_bytes())
    }

    fn write_config(&self) -> Result<()> {
        std::fs::create_dir_all(self.state.path("db"))?;
        let path = |part: &str| self.state.path(part).display().to_string();
        let config = CONFIG
            .replace("@pki", &path("pki"))
            .replace("@db", &path("db"))
            .replace("@admin-password", ADMIN_PASSWORD)
            .replace("@admin", ADMIN)
            .replace("@service", Self::SERVICE_DN)
            .replace("@base", Self::BASE);
        self.state.write("slapd.conf", &config)?;
        Ok(())
    }
}

/// Passwords can be proven and changed by their owner, never read. Nothing is readable without a bind.
const CONFIG: &str = r#"include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload refint
moduleload ppolicy
TLSCACertificateFile @pki/ca.crt
TLSCertificateFile @pki/slapd.crt
TLSCertificateKeyFile @pki/slapd.key
TLSVerifyClient never
sizelimit size.soft=500 size.hard=1000 size.pr=1000 size.prtotal=unlimited

database mdb
suffix "@base"
rootdn "@admin"
rootpw @admin-password
directory @db
maxsize 1073741824
dbnosync
limits dn.exact="@service" size=unlimited time=unlimited
limits dn.exact="cn=limited,ou=services,@base" size.soft=200 size.hard=200 size.pr=100 size.prtotal=200
index objectClass eq
index uid,cn,mail eq,pres,sub
index member,memberOf eq
index entryUUID eq
access to attrs=userPassword by anonymous auth by self write by * none
access to * by dn.exact="@service" read by dn.exact="cn=limited,ou=services,@base" read by self read by * none

overlay memberof
memberof-group-oc groupOfNames
memberof-member-ad member
memberof-memberof-ad memberOf
memberof-refint TRUE
overlay refint
refint_attributes member memberOf
refint_nothing "cn=nobody,@base"
overlay ppolicy
ppolicy_default "cn=default,ou=policies,@base"
ppolicy_hash_cleartext
ppolicy_use_lockout
"#;
