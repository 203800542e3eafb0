//! One page of one search.

use std::sync::Arc;
use std::time::Instant;

use ldap3::controls::{Control, PagedResults, RawControl};
use ldap3::{LdapResult, SearchOptions};

use super::{Awaited, Connection};
use crate::ber::{INTEGER, OCTET_STRING, Reader, SEQUENCE};
use crate::deadline::{sooner, within};
use crate::entry::Entry;
use crate::failure::{Failure, code};
use crate::filter::Filter;

const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
const DOING: &str = "searching";

/// How far below the base a search looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The base itself.
    Base,
    /// The base and everything below.
    Subtree,
}

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Question<'a> {
    /// The setting that names the base, for whoever has to mend it.
    pub(crate) field: &'static str,
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: Filter,
    pub(crate) attributes: &'a [String],
}

/// How much of the answer is asked for.
#[derive(Debug, Clone)]
pub(crate) enum PageRequest {
    /// At most so many entries, in one go.
    Most(i32),
    /// A page of so many, from where the cookie says (RFC 2696).
    Paged(i32, Vec<u8>),
}

/// Part of an answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    pub(crate) code: u32,
    pub(crate) text: String,
    /// Where the next page starts; empty when this was the last.
    pub(crate) cookie: Vec<u8>,
    /// More came than the caller takes; the rest is still on its way.
    cut: bool,
}

impl Page {
    /// Whether more came than the caller takes.
    pub(crate) const fn is_cut(&self) -> bool {
        self.cut
    }
}

impl Connection {
    /// Asks for one page. Beyond `cap` entries the answer is cut, as if the server had met its size
    /// limit, and the connection takes no further question.
    pub(crate) async fn page(
        &mut self,
        question: &Question<'_>,
        request: PageRequest,
        cap: usize,
        deadline: Instant,
    ) -> Result<Page, Failure> {
        let started = self.clock.monotonic();
        let page = self.one_page(question, request, cap, deadline).await;
        if let Some(trace) = &self.trace {
            trace.note(question, &page, self.clock.monotonic().saturating_duration_since(started));
        }
        page
    }

    async fn one_page(
        &mut self,
        question: &Question<'_>,
        request: PageRequest,
        cap: usize,
        deadline: Instant,
    ) -> Result<Page, Failure> {
        self.begin(Awaited::Search);
        let clock = Arc::clone(&self.clock);
        let deadline = sooner(&*clock, deadline, self.operation);
        let work = self.collect(question, request, cap, deadline);
        let page = within(&*clock, deadline, work).await.ok_or(Failure::TimedOut(DOING))??;
        if !page.cut {
            self.end();
        }
        Ok(page)
    }

    async fn collect(
        &mut self,
        question: &Question<'_>,
        request: PageRequest,
        cap: usize,
        deadline: Instant,
    ) -> Result<Page, Failure> {
        let seconds = deadline.saturating_duration_since(self.clock.monotonic()).as_secs().saturating_add(1);
        let mut options = SearchOptions::new().timelimit(i32::try_from(seconds).unwrap_or(i32::MAX));
        match request {
            PageRequest::Most(limit) => options = options.sizelimit(limit),
            PageRequest::Paged(size, cookie) => {
                // Not critical: a server without paging answers in one go, or says that a limit was reached.
                let control: RawControl = PagedResults { size, cookie }.into();
                self.ldap.with_controls(vec![control]);
            }
        }
        let scope = match question.scope {
            Scope::Base => ldap3::Scope::Base,
            Scope::Subtree => ldap3::Scope::Subtree,
        };
        let filter = question.filter.render();
        let started = self
            .ldap
            .with_search_options(options)
            .streaming_search(question.base, scope, &filter, question.attributes)
            .await;
        let mut stream = started.map_err(|error| self.failure(DOING, &error))?;
        let mut entries = Vec::new();
        while let Some(raw) = stream.next().await.map_err(|error| self.failure(DOING, &error))? {
            if entries.len() >= cap {
                return Ok(Page {
                    entries,
                    code: code::SIZE_LIMIT,
                    text: String::new(),
                    cookie: Vec::new(),
                    cut: true,
                });
            }
            entries.push(Entry::decode(raw.0).ok_or(Failure::Nonsense("an entry that cannot be read"))?);
        }
        page(entries, stream.finish().await)
    }
}

fn page(entries: Vec<Entry>, result: LdapResult) -> Result<Page, Failure> {
    let paged = result.ctrls.iter().find(|Control(_, control)| control.ctype == PAGED_RESULTS);
    let cookie = match paged.and_then(|Control(_, control)| control.val.as_deref()) {
        Some(value) => cookie(value).ok_or(Failure::Nonsense("a paging control that cannot be read"))?,
        None => Vec::new(),
    };
    Ok(Page { entries, code: result.rc, text: result.text, cookie, cut: false })
}

/// `SEQUENCE { size INTEGER, cookie OCTET STRING }`; the size is an estimate that we do not use.
fn cookie(value: &[u8]) -> Option<Vec<u8>> {
    const LONGEST: usize = 64 << 10;
    let mut fields = Reader::new(value).expect(SEQUENCE).ok()?.inside();
    fields.expect(INTEGER).ok()?;
    let cookie = fields.expect(OCTET_STRING).ok()?.content;
    (cookie.len() <= LONGEST).then(|| cookie.to_vec())
}
