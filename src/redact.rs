//! What a stranger wrote, made fit to be shown: no secrets of the call, no control characters, not too long.

use std::borrow::Cow;

use crate::phone::PhoneNumber;

/// The secrets of one call: the key, and what the operation names besides (a number, a code).
#[derive(Clone, Copy)]
pub(crate) struct Redactor<'a> {
    key: &'a str,
    private: &'a [&'a str],
}

impl<'a> Redactor<'a> {
    pub(crate) fn new(key: &'a str, private: &'a [&'a str]) -> Self {
        Self { key, private }
    }

    /// One line of `text` without secrets and control characters, cut after [`LONGEST`] characters.
    pub(crate) fn line(&self, text: &str) -> String {
        // Secrets go before the cut, so that no half of one is left at the end.
        let clean = self.without_secrets(self.beginning(text));
        let mut line = String::with_capacity(clean.len().min(LONGEST));
        let words = clean.split(|c: char| c.is_whitespace() || is_unprintable(c)).filter(|word| !word.is_empty());
        for (index, word) in words.enumerate() {
            if index > 0 {
                line.push(' ');
            }
            line.push_str(word);
            if let Some((end, _)) = line.char_indices().nth(LONGEST) {
                line.truncate(end);
                line.push('…');
                break;
            }
        }
        line
    }

    /// The same for bytes that may not be text.
    pub(crate) fn excerpt(&self, bytes: &[u8]) -> String {
        self.line(&String::from_utf8_lossy(&bytes[..bytes.len().min(2 * BYTES_READ)]))
    }

    /// A value that is usually shown whole, such as a request id: untouched unless it holds something to hide.
    pub(crate) fn value(&self, text: Cow<'_, str>) -> String {
        let is_plain = text.len() <= LONGEST
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'+')
            && !self.needles().any(|needle| contains(&text, needle));
        if is_plain { text.into_owned() } else { self.line(&text) }
    }

    /// As much of the text as is looked at, without the half of a secret that may stand at its end.
    fn beginning<'t>(&self, text: &'t str) -> &'t str {
        let mut beginning = prefix(text, BYTES_READ);
        if beginning.len() < text.len() {
            for needle in self.needles() {
                let mut halves = (1..needle.len()).rev().filter_map(|end| needle.get(..end));
                if let Some(rest) = halves.find_map(|half| beginning.strip_suffix(half)) {
                    beginning = rest;
                }
            }
        }
        beginning
    }

    fn without_secrets<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for needle in self.needles() {
            if text.contains(needle) {
                text = text.replace(needle, MASK).into();
            }
        }
        // The rest looks for digits, which most messages have none of.
        if !text.bytes().any(|b| b.is_ascii_digit()) {
            return text;
        }
        for secret in self.private {
            text = mask_spelled(&text, secret).into();
        }
        mask_numbers(&text).into()
    }

    /// Longest forms first: a number with its `+`, then bare.
    fn needles(&self) -> impl Iterator<Item = &'a str> {
        let bare = self.private.iter().filter_map(|secret| secret.strip_prefix('+'));
        std::iter::once(self.key).chain(self.private.iter().copied()).chain(bare).filter(|needle| !needle.is_empty())
    }
}

/// Masks the digits of a secret however they are grouped: `1 (415) 555-2671`, `123-456`.
fn mask_spelled(text: &str, secret: &str) -> String {
    let digits: Vec<u8> = secret.bytes().filter(u8::is_ascii_digit).collect();
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        masked.push_str(before);
        let (shown, after) = match spelled(from.as_bytes(), &digits) {
            Some(length) => (MASK, &from[length..]),
            None => from.split_at(1),
        };
        masked.push_str(shown);
        rest = after;
    }
    masked.push_str(rest);
    masked
}

/// How much of the beginning of `text` spells these digits, with what people put between them.
fn spelled(text: &[u8], digits: &[u8]) -> Option<usize> {
    let mut wanted = digits.iter();
    let mut next = wanted.next()?;
    for (index, byte) in text.iter().enumerate() {
        if byte == next {
            match wanted.next() {
                Some(digit) => next = digit,
                None => return Some(index + 1),
            }
        } else if !matches!(byte, b' ' | b'(' | b')' | b'-' | b'.' | b'/') {
            return None;
        }
    }
    None
}

/// Masks every whole phone number that is written with its `+` and without separators, also of other calls.
fn mask_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(plus) = rest.find('+') {
        let (before, number) = rest.split_at(plus);
        let digits = number[1..].bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = number.split_at(1 + digits);
        masked.push_str(before);
        // More digits right behind a number, such as those of a time, hide nothing of it.
        let beginning = prefix(number, LONGEST_NUMBER);
        masked.push_str(if PhoneNumber::parse(beginning).is_ok() { MASK } else { number });
        rest = after;
    }
    masked.push_str(rest);
    masked
}

fn is_unprintable(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// Characters that turn the direction of text around or hide in it.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A plain search: haystacks are some twenty bytes, where the standard library's set-up would cost more than the search.
fn contains(haystack: &str, needle: &str) -> bool {
    haystack.as_bytes().windows(needle.len()).any(|window| window == needle.as_bytes())
}

fn prefix(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `+` and 15 digits, the most that E.164 allows.
const LONGEST_NUMBER: usize = 16;

const MASK: &str = "•••••";

/// In characters: enough to recognise a gateway's page or read a sentence, short enough for one line of a log.
const LONGEST: usize = 200;

/// How much of a text is looked at to make such a line.
const BYTES_READ: usize = 4096;

#[cfg(test)]
mod tests {
    use super::Redactor;

    const REDACTOR: Redactor<'static> = Redactor { key: "sk_secret", private: &["+14155552671", "123456"] };

    #[test]
    fn secrets_and_whole_numbers_go() {
        let line = REDACTOR.line("key sk_secret for +14155552671 or 14155552671 with 123456, not +442079460958 or +1");
        assert_eq!(line, "key ••••• for ••••• or ••••• with •••••, not ••••• or +1");
    }

    #[test]
    fn a_number_with_other_digits_behind_it_goes_with_them() {
        assert_eq!(REDACTOR.line("+4420794609581785380854155 and +0044207946095817"), "••••• and +0044207946095817");
    }

    #[test]
    fn the_digits_of_a_secret_go_however_they_are_grouped() {
        for (text, line) in [
            ("+1 (415) 555-2671 is no mobile number", "+••••• is no mobile number"),
            ("1-415-555-2671", "•••••"),
            ("123-456 or 1 2 3 4 5 6 or 123x456", "••••• or ••••• or 123x456"),
            ("112 3456", "1•••••"),
            ("123 45", "123 45"),
        ] {
            assert_eq!(REDACTOR.line(text), line);
        }
    }

    #[test]
    fn a_secret_at_the_cut_leaves_no_half() {
        let line = REDACTOR.line(&format!("{}sk_secret", "x".repeat(197)));
        assert_eq!(line, format!("{}•••…", "x".repeat(197)));
    }

    #[test]
    fn control_characters_go_and_bytes_become_text() {
        assert_eq!(REDACTOR.line("a\u{1b}[31mb\r\n\tc\u{202e}d"), "a [31mb c d");
        assert_eq!(REDACTOR.excerpt(b"<html>\xff\x00</html>"), "<html>\u{fffd} </html>");
    }

    #[test]
    fn plain_values_stay_and_others_are_cleaned() {
        assert_eq!(REDACTOR.value("req_12ab".into()), "req_12ab");
        assert_eq!(REDACTOR.value("req_123456".into()), "req_•••••");
        assert_eq!(REDACTOR.value("req_+442079460958".into()), "req_•••••");
        assert_eq!(REDACTOR.value("a\nb".into()), "a b");
    }
}
