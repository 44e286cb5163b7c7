//! Strangers' text made safe to show: no secrets, no control characters, not too long.
//!
//! Text that a server sent is masked by its shape, not by a search for spellings of a secret: if it
//! has four digits or more, every digit goes, whatever the script and whatever is between them. A
//! code has at least four digits and a phone number more. Only the API key is looked for literally.

use std::borrow::Cow;

use crate::phone::{calling_codes, is_invisible};

/// The secrets of one call.
#[derive(Clone, Copy)]
pub(crate) struct Redactor<'a> {
    key: &'a str,
    /// The call's code and phone numbers.
    private: &'a [&'a str],
}

impl<'a> Redactor<'a> {
    pub(crate) fn new(key: &'a str, private: &'a [&'a str]) -> Self {
        Self { key, private }
    }

    /// Returns `text` as one line that is safe to show.
    pub(crate) fn line(&self, text: &str) -> String {
        line(&self.without_key(text))
    }

    /// Returns the beginning of a body that may not be text and may break off anywhere.
    pub(crate) fn excerpt(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let text = self.without_key(&text);
        // A body that breaks off in the middle of a secret leaves a half that has no shape.
        let half = (4..self.key.len()).rev().find_map(|end| text.strip_suffix(self.key.get(..end)?));
        let text = half.unwrap_or(&text);
        let min = if text.trim_end().ends_with(char::is_numeric) { 1 } else { MIN_DIGITS };
        one_line(&mask_digits(text, min))
    }

    /// Returns a value that people need whole, such as a request id. Only this call's secrets are
    /// masked.
    pub(crate) fn value(&self, text: &str) -> String {
        if text.len() > MAX_CHARACTERS || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return self.line(text);
        }
        let text = self.without_key(text);
        let mut digits = Vec::with_capacity(text.len());
        digits.extend(text.bytes().filter(u8::is_ascii_digit));
        let contains = |secret: &[u8]| digits.windows(secret.len()).any(|window| window == secret);
        if self.private.iter().any(|secret| contains(digits_to_find(secret).as_bytes())) {
            return one_line(&mask_digits(&text, 1));
        }
        text.into_owned()
    }

    fn without_key<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.key.is_empty() || !text.contains(self.key) {
            return text.into();
        }
        if self.key.len() >= MIN_KEY {
            return text.replace(self.key, MASK).into();
        }
        // A short key, such as `test`, is masked as a whole word only.
        let mut masked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(self.key) {
            let is_word = !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
            masked.push_str(before);
            masked.push_str(if is_word { MASK } else { self.key });
            rest = after;
        }
        masked.push_str(rest);
        masked.into()
    }
}

/// Returns `text` as one line that is safe to show, where no key can be in it.
pub(crate) fn line(text: &str) -> String {
    one_line(&mask_digits(text, MIN_DIGITS))
}

/// Masks all digits of a string that has at least `min` of them, with what is between them unless it
/// is letters.
fn mask_digits(text: &str, min: usize) -> Cow<'_, str> {
    if text.chars().filter(|c| c.is_numeric()).count() < min {
        return text.into();
    }
    let mut masked = String::with_capacity(text.len());
    let mut between = String::new();
    let mut after_digit = false;
    for c in text.chars() {
        if c.is_numeric() {
            if !after_digit {
                masked.push_str(MASK);
            }
            between.clear();
            after_digit = true;
        } else if after_digit && !c.is_alphabetic() {
            between.push(c);
        } else {
            masked.push_str(&between);
            masked.push(c);
            between.clear();
            after_digit = false;
        }
    }
    masked.push_str(&between);
    masked.into()
}

/// Joins lines, drops characters that do not print, and cuts what is too long.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c)) {
        if !word.is_empty() && !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(MAX_CHARACTERS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// The digits that give a secret away: a code's, or a phone number's without its calling code, since
/// that is how its own country writes it.
fn digits_to_find(secret: &str) -> &str {
    let Some(number) = secret.strip_prefix('+') else { return secret };
    let length = calling_codes::find(number.as_bytes()).map_or(0, |(_, length)| length);
    let national = &number[length..];
    if national.len() >= MIN_NATIONAL { national } else { number }
}

const MASK: &str = "•••••";

/// The shortest code that the service could send.
const MIN_DIGITS: usize = 4;

/// A shorter key is likely to be part of ordinary words.
const MIN_KEY: usize = 8;

/// Fewer digits could be anything: a time, an amount, a part of an id.
const MIN_NATIONAL: usize = 7;

/// Enough to recognize a gateway's page or to read a sentence, short enough for one line of a log.
const MAX_CHARACTERS: usize = 200;

#[cfg(test)]
mod tests {
    use super::Redactor;

    const REDACTOR: Redactor<'static> = Redactor { key: "sk_secret", private: &["+14155552671", "123456"] };

    #[test]
    fn four_digits_are_masked_whatever_is_between_them() {
        for (text, line) in [
            ("code 123456 is wrong", "code ••••• is wrong"),
            ("+1 (415) 555-2671 is not a mobile number", "+••••• is not a mobile number"),
            ("1\n415\r\n555\u{200b}2671", "•••••"),
            ("1 and 2 and 3 and 4", "••••• and ••••• and ••••• and •••••"),
            ("804\\u00a0315", "•••••\\u•••••a•••••"),
            ("\u{661}\u{662}\u{663}\u{664}", "•••••"),
            ("①②③④", "•••••"),
            ("at most 16 characters", "at most 16 characters"),
            ("sk_secret of sk_secret", "••••• of •••••"),
        ] {
            assert_eq!(REDACTOR.line(text), line);
        }
    }

    #[test]
    fn an_excerpt_shows_no_half_of_a_secret() {
        assert_eq!(REDACTOR.excerpt(b"<p>not 12"), "<p>not •••••");
        assert_eq!(REDACTOR.excerpt(b"<p>not 12</p>"), "<p>not 12</p>");
        assert_eq!(REDACTOR.excerpt(b"<p>not sk_sec"), "<p>not");
        assert_eq!(REDACTOR.excerpt(b"<html>\xff\x00</html>"), "<html>\u{fffd} </html>");
    }

    #[test]
    fn a_short_key_is_masked_as_a_word() {
        let redactor = Redactor { key: "test", private: &[] };
        assert_eq!(redactor.line("`test` is the latest test"), "`•••••` is the latest •••••");
        assert_eq!(Redactor { key: "", private: &[] }.line("`test`"), "`test`");
    }

    #[test]
    fn control_characters_go_and_long_text_is_cut() {
        assert_eq!(REDACTOR.line("a\u{1b}[31mb\r\n\tc\u{202e}d"), "a [31mb c d");
        let long = format!("{}sk_secret", "x".repeat(197));
        assert_eq!(REDACTOR.line(&long), format!("{}•••…", "x".repeat(197)));
    }

    #[test]
    fn values_stay_whole_unless_they_contain_a_secret_of_the_call() {
        for (value, shown) in [
            ("req_1234_9876", "req_1234_9876"),
            ("req_123456", "req_•••••"),
            ("req_12a34b56", "req_•••••a•••••b•••••"),
            ("req_4155552671", "req_•••••"),
            ("req_sk_secret", "req_•••••"),
            ("a\nb", "a b"),
        ] {
            assert_eq!(REDACTOR.value(value), shown);
        }
        let longest = format!("{}_1234", "x".repeat(195));
        assert_eq!(REDACTOR.value(&longest), longest);
        assert_eq!(REDACTOR.value(&format!("x{longest}")), format!("{}_•••…", "x".repeat(196)));
    }
}
