//! What a case sends, as each protocol writes it.
//!
//! A case says as little as it is about; the rest of a good request is added here, the same for all of them.

use crate::case::{End, Field, Line, Stimulus};

pub(crate) const PODS: &str = "/k8s/clusters/one/api/v1/namespaces/dev/pods";

/// A request over HTTP/2.
#[derive(Debug, Default)]
pub(crate) struct Http2 {
    pub(crate) fields: Vec<Field>,
    /// What each DATA frame holds.
    pub(crate) data: Vec<Vec<u8>>,
    pub(crate) trailers: Vec<Field>,
    /// The last frame does not say that it is the last.
    pub(crate) open: bool,
}

pub(crate) fn http1(stimulus: Stimulus, host: &str, token: &str) -> Vec<u8> {
    let get = |target: &str, lines: &[u8]| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n");
        [head.as_bytes(), lines, b"\r\n"].concat()
    };
    match stimulus {
        Stimulus::Lines(lines) => {
            let line = |(name, value): &Line| [name.as_bytes(), b": ", value, b"\r\n"].concat();
            get(PODS, &lines.iter().flat_map(line).collect::<Vec<u8>>())
        }
        Stimulus::Target(target) => get(target, b""),
        Stimulus::Person(_) => get(PODS, b""),
        Stimulus::Bulk(count, size) => {
            let line = |at| format!("x-bulk-{at}: {}\r\n", "a".repeat(size));
            get(PODS, (0..count).map(line).collect::<String>().as_bytes())
        }
        Stimulus::Connection(lines) => {
            let latin1: Vec<u8> = lines.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect();
            get(PODS, &[latin1.as_slice(), b"\r\n"].concat())
        }
        Stimulus::Raw(text) => text.replace("{T}", token).replace("{H}", host).into_bytes(),
        Stimulus::Fields(_) | Stimulus::Frames(..) => Vec::new(),
    }
}

pub(crate) fn http2(stimulus: Stimulus, host: &str, token: &str) -> Http2 {
    let field = |(name, value): &(&str, &str)| {
        ((*name).to_owned(), value.replace("{T}", token).replace("{H}", host).into_bytes())
    };
    let get = |target: &str| {
        let pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", "{H}"), (":path", target)];
        pseudo.iter().chain(&[("authorization", "Bearer {T}")]).map(field).collect::<Vec<_>>()
    };
    let fields = match stimulus {
        Stimulus::Lines(lines) => {
            let lines = lines.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()));
            get(PODS).into_iter().chain(lines).collect()
        }
        Stimulus::Target(target) => get(target),
        Stimulus::Person(_) => get(PODS),
        Stimulus::Bulk(count, size) => {
            let bulk = (0..count).map(|at| (format!("x-bulk-{at}"), vec![b'a'; size]));
            get(PODS).into_iter().chain(bulk).collect()
        }
        Stimulus::Fields(fields) => fields.iter().map(field).collect(),
        Stimulus::Frames(fields, data, end) => {
            let trailers = if let End::Trailers(trailers) = end { trailers } else { &[] };
            return Http2 {
                fields: replaced(get(PODS), fields.iter().map(field)),
                data: data.iter().map(|text| text.as_bytes().to_vec()).collect(),
                trailers: trailers.iter().map(field).collect(),
                open: matches!(end, End::Never),
            };
        }
        Stimulus::Raw(_) | Stimulus::Connection(_) => Vec::new(),
    };
    Http2 { fields, ..Http2::default() }
}

/// A field of a good request gives way to the first of its name; whatever else comes is added.
fn replaced(mut good: Vec<Field>, fields: impl Iterator<Item = Field>) -> Vec<Field> {
    let mut open = vec![true; good.len()];
    for field in fields {
        match (0..open.len()).find(|at| open[*at] && good[*at].0 == field.0) {
            Some(at) => {
                open[at] = false;
                good[at] = field;
            }
            None => good.push(field),
        }
    }
    good
}
