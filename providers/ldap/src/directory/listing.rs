//! Every entry that a search finds, page by page, or the knowledge that some are missing.

use std::time::Instant;

use auth_core::Completeness;

use crate::connection::{Connection, Page, PageRequest, Question};
use crate::entry::Entry;
use crate::failure::{Failure, code};

/// A server can hand out empty pages for ever.
const MOST_PAGES: usize = 1_000;

/// What a search found.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    /// A server hands out part of an answer and then says that a limit was reached. Whoever takes
    /// the part for the whole takes people's groups away.
    pub(crate) completeness: Completeness,
}

/// Reads pages until the last, a limit of the server, or `most` entries.
pub(crate) async fn list(
    connection: &mut Connection,
    question: &Question<'_>,
    page_size: i32,
    most: usize,
    deadline: Instant,
) -> Result<Listing, Failure> {
    let mut entries = Vec::new();
    let mut cookie = Vec::new();
    for _ in 0..MOST_PAGES {
        let room = most.saturating_sub(entries.len());
        let page = connection.page(question, PageRequest::Paged(page_size, cookie), room, deadline).await?;
        let cut = cut_by(&page, room, question.field)?;
        entries.extend(page.entries);
        if let Some(why) = cut {
            return Ok(Listing { entries, completeness: Completeness::Incomplete(why) });
        }
        if page.cookie.is_empty() {
            return Ok(Listing { entries, completeness: Completeness::Complete });
        }
        cookie = page.cookie;
    }
    Ok(Listing { entries, completeness: Completeness::Incomplete("the directory's pages do not end".to_owned()) })
}

/// Why a page is not all there is up to its end; `None` when it is.
fn cut_by(page: &Page, room: usize, field: &'static str) -> Result<Option<String>, Failure> {
    let full = page.entries.len() >= room && (page.is_cut() || !page.cookie.is_empty());
    if full {
        return Ok(Some("there are more than this instance takes (groups.maxGroups)".to_owned()));
    }
    match page.code {
        code::SUCCESS => Ok(None),
        code::TIME_LIMIT => Ok(Some("the directory's time limit was reached".to_owned())),
        code::SIZE_LIMIT => {
            Ok(Some("the directory's size limit was reached; raise it for the bind account".to_owned()))
        }
        code::ADMIN_LIMIT => Ok(Some("an administrative limit of the directory was reached".to_owned())),
        code::NO_SUCH_OBJECT => Err(Failure::Misfit {
            field,
            message: format!("the directory has no such entry, or hides it from the bind account: {}", page.text),
        }),
        code::REFERRAL => Err(Failure::Misfit {
            field,
            message: "the directory refers to another server for it; name that server in servers".to_owned(),
        }),
        other => Err(Failure::refused("searching", other, &page.text)),
    }
}
