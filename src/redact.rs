//! What a stranger wrote, made fit to be shown: no secrets of the call, no control characters, not too long.

use std::borrow::Cow;

use crate::phone::{PhoneNumber, calling_codes, is_separator};

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
        let text = self.beginning(text);
        let mut line = String::with_capacity(text.len());
        for word in text.split(|c: char| c.is_whitespace() || is_unprintable(c)).filter(|word| !word.is_empty()) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        // Once more, for control characters between digits are blanks now. The cut comes last, and leaves no half of a secret.
        if line != *text {
            if let Cow::Owned(clean) = self.without_secrets(&line) {
                line = clean;
            }
        }
        cut(&mut line);
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
            && !contains(&text, self.key)
            && !self.private.iter().any(|secret| contains(&text, shortest(secret)));
        if is_plain { text.into_owned() } else { self.line(&text) }
    }

    /// A word that this version does not know. What cannot be shown leaves its mark, so that no word becomes another one.
    pub(crate) fn word(&self, text: &str) -> String {
        let mut word: String = self.without_secrets(text).into_owned();
        if word.contains(is_unprintable) {
            word = word.replace(is_unprintable, "\u{fffd}");
        }
        word
    }

    /// As much of the text as is looked at, without JSON's escapes, without secrets as they stand there, and without the
    /// half of one that may stand at its end.
    fn beginning<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let read = prefix(text, BYTES_READ);
        // Each time, for a text in a text is escaped twice, and a key may hold what looks like an escape, or blanks.
        let mut beginning = self.without_secrets(read);
        while let Some(plain) = unescaped(&beginning) {
            beginning = self.without_secrets(&plain).into_owned().into();
        }
        if read.len() < text.len() {
            for needle in self.needles() {
                let mut halves = (1..needle.len()).rev().filter_map(|end| needle.get(..end));
                if let Some(rest) = halves.find_map(|half| beginning.strip_suffix(half)) {
                    beginning = rest.to_owned().into();
                }
            }
        }
        beginning
    }

    fn without_secrets<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        if !self.key.is_empty() && text.contains(self.key) {
            clean = text.replace(self.key, MASK).into();
        }
        // The rest looks for digits, which most messages have too few of.
        let digits = count_digits(text);
        for secret in self.private.iter().filter(|secret| count_digits(shortest(secret)) <= digits) {
            for form in forms(secret) {
                clean = mask_spelled(&clean.replace(form, MASK), form).into();
            }
        }
        if digits > 0 && clean.contains('+') {
            clean = mask_numbers(&clean).into();
        }
        clean
    }

    fn needles(&self) -> impl Iterator<Item = &'a str> {
        std::iter::once(self.key).chain(self.private.iter().flat_map(|secret| forms(secret)))
    }
}

/// What a secret is written as, the longest first: a number with its `+`, without, and without its calling code.
fn forms(secret: &str) -> impl Iterator<Item = &str> {
    [Some(secret), secret.strip_prefix('+'), national(secret)].into_iter().flatten()
}

fn shortest(secret: &str) -> &str {
    national(secret).or(secret.strip_prefix('+')).unwrap_or(secret)
}

fn count_digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
}

/// A number as its own country writes it, unless that is too short to tell it from others.
fn national(secret: &str) -> Option<&str> {
    let digits = secret.strip_prefix('+').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let (_, code_length) = calling_codes::find(digits.as_bytes())?;
    Some(&digits[code_length..]).filter(|national| national.len() >= SHORTEST_NATIONAL)
}

/// The text without JSON's escapes, if it has any. One that breaks off at the end goes.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text;
    let mut is_changed = false;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let (c, length) = match escape.as_bytes() {
            [c @ (b'"' | b'\\' | b'/'), ..] => (char::from(*c), 1),
            [b'b' | b'f' | b'n' | b'r' | b't', ..] => (' ', 1),
            [b'u', hex @ ..] if hex.len() >= 4 && hex[..4].iter().all(u8::is_ascii_hexdigit) => {
                let code = u32::from_str_radix(&escape[1..5], 16).ok().and_then(char::from_u32);
                (code.unwrap_or(char::REPLACEMENT_CHARACTER), 5)
            }
            [] => return Some(plain),
            [b'u', hex @ ..] if hex.iter().all(u8::is_ascii_hexdigit) => return Some(plain),
            // None of JSON's.
            _ => ('\\', 0),
        };
        plain.push(c);
        rest = &escape[length..];
        is_changed |= length > 0;
    }
    if !is_changed {
        return None;
    }
    plain.push_str(rest);
    Some(plain)
}

/// Masks the digits of a secret however they are grouped: `1 (415) 555-2671`, `123-456`.
fn mask_spelled(text: &str, secret: &str) -> String {
    let digits: Vec<u8> = secret.bytes().filter(u8::is_ascii_digit).collect();
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        masked.push_str(before);
        let (shown, after) = match spelled(from, &digits) {
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
fn spelled(text: &str, digits: &[u8]) -> Option<usize> {
    let mut wanted = digits.iter().copied().map(char::from);
    let mut next = wanted.next()?;
    for (index, c) in text.char_indices() {
        if c == next {
            match wanted.next() {
                Some(digit) => next = digit,
                None => return Some(index + 1),
            }
        } else if !is_separator(c) {
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

/// Fewer digits could be anything: a time, an amount, a part of an id.
const SHORTEST_NATIONAL: usize = 7;

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
            (
                "123\t456 123\u{a0}456 123\u{2009}456 123\u{200b}456 123\x00456 123\u{2011}456",
                "••••• ••••• ••••• ••••• ••••• •••••",
            ),
            ("1\n415\r\n555 2671", "•••••"),
            ("4155552671, (415) 555-2671, 0415/5552671", "•••••, (•••••, 0•••••"),
            ("555-2671", "555-2671"),
            ("123 45", "123 45"),
        ] {
            assert_eq!(REDACTOR.line(text), line);
        }
    }

    #[test]
    fn a_short_national_number_is_left_to_its_calling_code() {
        let redactor = Redactor { key: "", private: &["+682123456", "+6821234567"] };
        assert_eq!(redactor.line("123456 +682 123456 1234567"), "123456 +••••• •••••");
    }

    #[test]
    fn escapes_hide_nothing() {
        let raw = Redactor { key: r"a\nb", private: &[] }.line(r#"a\nb, "a\\nb""#);
        assert_eq!(raw, r#"•••••, "•••••""#);
        let redactor = Redactor { key: r#"a/b"c\d"#, ..REDACTOR };
        for (text, line) in [
            (r#"{"key":"a\/b\"c\\d"}"#, r#"{"key":"•••••"}"#),
            (r#""{\"key\":\"a\\\/b\\\"c\\\\d\"}""#, r#""{"key":"•••••"}""#),
            (r"\u002B1415\u00355\u00352671 123\n456 123\u00a0456", "••••• ••••• •••••"),
            (r"C:\dir \ud83d \u12x4 \x", "C:\\dir \u{fffd} \\u12x4 \\x"),
            (r"an end\", "an end"),
            (r"an end\u00", "an end"),
        ] {
            assert_eq!(redactor.line(text), line, "{text}");
        }
    }

    #[test]
    fn a_key_with_blanks_goes_with_them() {
        let redactor = Redactor { key: "sk  a\tb", private: &[] };
        assert_eq!(redactor.line("not sk  a\tb, not sk a b"), "not •••••, not sk a b");
    }

    #[test]
    fn an_escape_at_the_end_of_what_is_read_leaves_no_half() {
        let redactor = Redactor { key: "sk/secret", private: &[] };
        for escape in [r"sk\/secret", r"sk\u002fsecret", r"\u0073k/secret"] {
            for blanks in 4080..4100 {
                let line = redactor.line(&format!("{}{escape} and more", " ".repeat(blanks)));
                assert!(!line.contains("sk") || line.is_empty(), "{blanks} blanks: {line}");
            }
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
    fn no_word_becomes_another() {
        for (text, word) in [
            ("paused by you", "paused by you"),
            (" verified", " verified"),
            ("verified\n", "verified\u{fffd}"),
            ("veri\u{200b}fied", "veri\u{fffd}fied"),
            (r"\u0076erified", r"\u0076erified"),
            ("sk_secret\u{1b}[31m of +14155552671, 123\n456", "•••••\u{fffd}[31m of •••••, •••••"),
        ] {
            assert_eq!(REDACTOR.word(text), word);
        }
        assert_eq!(REDACTOR.word(&"é".repeat(5000)), "é".repeat(5000));
    }

    #[test]
    fn plain_values_stay_and_others_are_cleaned() {
        assert_eq!(REDACTOR.value("req_12ab".into()), "req_12ab");
        assert_eq!(REDACTOR.value("req_123456".into()), "req_•••••");
        assert_eq!(REDACTOR.value("req_4155552671".into()), "req_•••••");
        assert_eq!(REDACTOR.value("req_+442079460958".into()), "req_•••••");
        assert_eq!(REDACTOR.value("a\nb".into()), "a b");
    }
}
