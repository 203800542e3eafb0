//! The alphabet of our ids: RFC 4648 base32 in lower case, without padding.

/// The first `length` characters of the base32 of `bytes`; fewer when there are not enough bytes.
pub(crate) fn encode(bytes: &[u8], length: usize) -> String {
    let mut text = String::with_capacity(length);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        buffer = (buffer << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 && text.len() < length {
            bits -= 5;
            text.push(letter(buffer >> bits & 0x1f));
        }
    }
    text
}

/// Whether `text` is `length` characters of the alphabet.
pub(crate) fn is(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
}

fn letter(value: u32) -> char {
    let value = (value & 0x1f) as u8;
    char::from(if value < 26 { b'a' + value } else { b'2' + (value - 26) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4648_in_lower_case() {
        // BASE32("fooba") = "MZXW6YTB"
        assert_eq!(encode(b"fooba", 8), "mzxw6ytb");
        assert_eq!(encode(b"fooba", 4), "mzxw");
        assert!(is("mzxw6ytb", 8) && !is("mzxw6ytb", 7) && !is("MZXW", 4) && !is("mz1w", 4));
    }
}
