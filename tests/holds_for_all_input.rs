//! Properties that hold for all input: which texts are numbers, languages, codes and ids, how they are
//! sent, and how any response is read.
//!
//! Each run creates new inputs, 256 for each test. `PROPTEST_CASES` sets another number. A failure
//! shows the smallest input that was found for it.

mod support;

use std::sync::{Arc, Mutex, PoisonError};

use contiguity::{Client, Error};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseResult, TestRunner};
use serde_json::Value;

use support::{Server, answer, envelope};

mod numbers {
    use std::sync::LazyLock;

    use contiguity::PhoneNumber;
    use phonenumber::metadata::DATABASE;
    use proptest::collection::vec;
    use proptest::option::weighted;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::{any_text, for_all};

    #[test]
    fn what_is_taken_is_e164() {
        for_all(text(), |text| {
            let taken = PhoneNumber::parse(&text);
            prop_assert_eq!(taken.is_ok(), is_e164(&text), "{:?}", taken);
            if let Ok(number) = taken {
                prop_assert_eq!(number.as_str(), &text);
            }
            Ok(())
        });
    }

    #[test]
    fn every_beginning() {
        for beginning in 0..1000 {
            let text = format!("+{beginning:03}12345");
            assert_eq!(PhoneNumber::parse(&text).is_ok(), is_e164(&text), "{text}");
        }
    }

    #[test]
    fn what_is_a_number_stays_one() {
        for_all(number(), |(code, text)| {
            let number = PhoneNumber::parse(&text).expect("a number");
            prop_assert_eq!(number.calling_code(), code);
            prop_assert_eq!(number.to_string().parse(), Ok(number));
            let json = serde_json::to_string(&number).expect("a number is text");
            prop_assert_eq!(&json, &format!("{text:?}"));
            prop_assert_eq!(serde_json::from_str::<PhoneNumber>(&json).expect("its own text"), number);
            // Masked: the last four digits are shown if four more stay hidden.
            let national = &text[1 + code.to_string().len()..];
            let last = if national.len() >= 8 { &national[national.len() - 4..] } else { "" };
            prop_assert_eq!(format!("{number:?}"), format!("PhoneNumber(+{code}•••••{last})"));
            Ok(())
        });
    }

    #[test]
    fn a_number_with_separators_is_suggested_without() {
        let separators = vec(weighted(0.3, select(SEPARATORS)), 16);
        for_all((number(), separators), |((code, number), separators)| {
            let parts = number.chars().zip(separators);
            let text: String = parts.flat_map(|(c, separator)| separator.into_iter().chain([c])).collect();
            prop_assume!(text != number && text.len() <= 64);
            let error = PhoneNumber::parse(&text).expect_err("it has separators");
            // A 0 after the calling code is dialed in some countries only.
            let is_certain = !number.starts_with(&format!("+{code}0"));
            prop_assert_eq!(error.suggestion().map(String::from), is_certain.then_some(number));
            Ok(())
        });
    }

    #[test]
    fn nothing_else_is_suggested() {
        for_all(text(), |text| {
            let Err(error) = PhoneNumber::parse(&text) else { return Ok(()) };
            let is_dropped = |c: char| SEPARATORS.contains(&c) || BRACKETS.contains(&c) || c.is_whitespace();
            let bare: String = text.chars().filter(|&c| !is_dropped(c)).collect();
            if let Some(suggestion) = error.suggestion() {
                prop_assert_eq!(suggestion.as_str(), bare);
                prop_assert!(!text.trim().contains(['\n', '\t', '/', '~']));
            }
            Ok(())
        });
    }

    #[test]
    fn what_people_type_becomes_e164_or_nothing() {
        let region =
            prop_oneof![select(&["US", "gb", "DE", "BR", "JP", "IT", "zz", ""][..]).prop_map(String::from), any_text()];
        for_all((text(), region), |(text, region)| {
            if let Ok(number) = PhoneNumber::from_user_input(&text, &region) {
                prop_assert!(is_e164(number.as_str()), "{:?}", number.as_str());
            }
            Ok(())
        });
    }

    /// With its calling code from anywhere, and as it is dialed within its country.
    #[test]
    fn a_number_of_a_plan_is_read_as_itself() {
        let numbers: Vec<_> =
            DATABASE.iter().flat_map(|plan| examples(plan).map(move |number| (plan, number))).collect();
        let regions: Vec<_> = DATABASE.iter().map(phonenumber::Metadata::id).filter(|id| id.len() == 2).collect();
        assert!(numbers.len() > 500 && regions.len() > 200, "{} of {}", numbers.len(), regions.len());
        for_all((select(numbers), vec(0..10_u8, 2), select(regions)), |((plan, mut national), last, region)| {
            // The last digits may be any.
            national.truncate(national.len() - last.len());
            national.extend(last.iter().map(u8::to_string));
            let number = format!("+{}{national}", plan.country_code());
            let Ok(number) = PhoneNumber::parse(&number) else { return Ok(()) };
            prop_assume!(number.is_valid_in_plan());
            let read = |text: &str, region| PhoneNumber::from_user_input(text, region);
            prop_assert_eq!(read(number.as_str(), region), Ok(number), "in {}", region);
            let typed = format!("\u{202a}+{} ({}) {}", plan.country_code(), &national[..2], &national[2..]);
            prop_assert_eq!(read(&typed, region), Ok(number), "{:?} in {}", typed, region);
            // Within the country, if only the prefix is dialed first, without a carrier code.
            let prefix = plan.national_prefix().unwrap_or_default();
            let is_plain = plan.national_prefix_for_parsing().is_none_or(|pattern| pattern.as_str() == prefix);
            if plan.id().len() == 2 && is_plain {
                let dialed = format!("{prefix}{national}");
                prop_assert_eq!(read(&dialed, plan.id()), Ok(number), "{} in {}", dialed, plan.id());
            }
            Ok(())
        });
    }

    fn examples(plan: &phonenumber::Metadata) -> impl Iterator<Item = String> {
        let kinds = plan.descriptors();
        let kinds = [kinds.fixed_line(), kinds.mobile(), kinds.toll_free(), kinds.voip(), kinds.personal_number()];
        kinds.into_iter().flatten().filter_map(phonenumber::metadata::Descriptor::example).map(String::from)
    }

    /// The rule in other words: an assigned calling code, at least two more digits, and at most 15 digits.
    fn is_e164(text: &str) -> bool {
        let Some(digits) = text.strip_prefix('+') else { return false };
        let begins_with_code =
            |length: usize| digits.len() >= length + 2 && CODES.iter().any(|code| code.to_string() == digits[..length]);
        digits.len() <= 15 && digits.chars().all(|c| c.is_ascii_digit()) && (1..=3).any(begins_with_code)
    }

    /// The calling codes of libphonenumber.
    static CODES: LazyLock<Vec<u16>> =
        LazyLock::new(|| (0..1000).filter(|code| DATABASE.by_code(code).is_some()).collect());

    /// A number and its calling code.
    fn number() -> impl Strategy<Value = (u16, String)> {
        (select(CODES.clone()), "[0-9]{2,14}").prop_map(|(code, national)| {
            let mut number = format!("+{code}{national}");
            number.truncate(16);
            (code, number)
        })
    }

    /// Numbers, texts that are almost numbers, and any text.
    fn text() -> impl Strategy<Value = String> {
        let number = || number().prop_map(|(_, number)| number);
        let nearly = (number(), any::<prop::sample::Index>(), any_text()).prop_map(|(mut number, index, text)| {
            number.replace_range(index.index(number.len()).., &text);
            number
        });
        let inserted =
            (number(), any::<prop::sample::Index>(), "[ a-zA-Z#*,;+]{1,3}").prop_map(|(mut number, index, text)| {
                number.insert_str(index.index(number.len()), &text);
                number
            });
        prop_oneof![
            number(),
            nearly,
            inserted,
            r"\+[1-9][0-9]{0,4}",
            r"\+[1-9][0-9]{13,16}",
            r"[+0-9 ().\-]{0,24}",
            r"\+?[0-9]{6,12}",
            any_text()
        ]
    }

    /// Allowed around the calling code and after it.
    const BRACKETS: &[char] = &['(', '[', '\u{ff08}', '\u{ff3b}'];

    const SEPARATORS: &[char] = &[
        ' ', '\u{a0}', '\u{202f}', '\u{3000}', ')', ']', '-', '.', '\u{61c}', '\u{ad}', '\u{2010}', '\u{2011}',
        '\u{2012}', '\u{2013}', '\u{2014}', '\u{2015}', '\u{2212}', '\u{30fc}', '\u{ff09}', '\u{ff0d}', '\u{ff0e}',
        '\u{ff3d}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}',
        '\u{202d}', '\u{202e}', '\u{2060}', '\u{2061}', '\u{2062}', '\u{2063}', '\u{2064}', '\u{2065}', '\u{2066}',
        '\u{2067}', '\u{2068}', '\u{2069}', '\u{206a}', '\u{206b}', '\u{206c}', '\u{206d}', '\u{206e}', '\u{206f}',
        '\u{feff}',
    ];
}

mod fields {
    use contiguity::{
        CancelReverseOtp, Client, Error, InitiateReverseOtp, Language, NewOtp, OtpId, ResendOtp, VerifyOtp,
        VerifyReverseOtp,
    };
    use proptest::collection::vec;
    use proptest::option::weighted;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Value, json};

    use super::support::{NUMBER, Operation};
    use super::{Service, any_text, for_all};

    #[test]
    fn languages() {
        let service = Service::start(Operation::New.data());
        let known: Vec<_> = Language::all().map(|language| language.to_string()).collect();
        let in_any_case =
            (select(known.clone()), any::<u64>(), select(&["-", "_", "--"][..])).prop_map(|(code, upper, dash)| {
                let letter =
                    |(index, c): (usize, char)| if upper >> index & 1 == 1 { c.to_ascii_uppercase() } else { c };
                code.chars().enumerate().map(letter).collect::<String>().replace('-', dash)
            });
        let tag = "[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}";
        for_all(prop_oneof![in_any_case, tag, "[A-Za-z0-9_-]{0,20}", any_text()], |text| {
            let hyphened = text.replace('_', "-");
            let lower = hyphened.to_ascii_lowercase();
            let expected = if known.contains(&lower) { Some(lower) } else { Some(hyphened).filter(|tag| is_tag(tag)) };
            let read = Language::parse(&text).ok();
            prop_assert_eq!(read.as_ref().map(Language::as_str), expected.as_deref());
            prop_assert_eq!(read.as_ref().and_then(|language| Language::parse(language.as_str()).ok()), read);
            service.sends("language", expected, |client| NewOtp::to(NUMBER).language(text).name("MyApp").send(client))
        });
    }

    /// Subtags of letters and digits between single hyphens. The first has at least two letters and no digit.
    fn is_tag(text: &str) -> bool {
        let first = text.find('-').unwrap_or(text.len());
        text.chars().all(|c| c == '-' || c.is_ascii_alphanumeric())
            && text.split('-').all(|subtag| !subtag.is_empty() && subtag.len() <= 8)
            && (2..=3).contains(&first)
            && !text[..first].contains(char::is_numeric)
    }

    #[test]
    fn codes() {
        const GAPS: &[char] = &[' ', '\t', '\n', '\u{a0}', '-', '\u{2010}', '\u{2013}', '\u{2015}'];
        let service = Service::start(Operation::Verify.data());
        let with_gaps = ("[0-9]{0,12}", vec(weighted(0.3, select(GAPS)), 12)).prop_map(|(digits, gaps)| {
            digits.chars().zip(gaps).flat_map(|(digit, gap)| gap.into_iter().chain([digit])).collect::<String>()
        });
        for_all(prop_oneof![3 => with_gaps, 1 => "[0-9a-z]{3,8}", 1 => any_text()], |typed| {
            // Other scripts and marks have a test with examples.
            prop_assume!(typed.chars().all(|c| c.is_ascii() || GAPS.contains(&c) || c.is_alphabetic()));
            let digits: String = typed.chars().filter(|c| !c.is_whitespace() && !"-‐‑‒–—―".contains(*c)).collect();
            let is_code = (4..=10).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
            let expected = Some(digits).filter(|_| is_code);
            service.sends("otp", expected, |client| VerifyOtp::otp_id("otp_1").otp(typed).send(client))
        });
    }

    #[test]
    fn names() {
        let service = Service::start(Operation::New.data());
        for_all(prop_oneof![15 => any_text(), 1 => r"\PC{999,1002}"], |name| {
            let expected = Some(name.clone()).filter(|name| is_readable(name) && name.chars().count() <= 1_000);
            service.sends("name", expected, |client| NewOtp::to(NUMBER).language("en").name(name).send(client))
        });
    }

    #[test]
    fn factors() {
        let service = Service::start(Operation::Initiate.data());
        for_all(prop_oneof!["(?s).{0,20}", r"\PC{14,18}"], |factor| {
            let expected = Some(factor.clone()).filter(|factor| is_readable(factor) && factor.chars().count() <= 16);
            service.sends("factor", expected, |client| InitiateReverseOtp::number(NUMBER).factor(factor).send(client))
        });
    }

    #[test]
    fn ids_in_bodies() {
        let service = Service::start(Operation::Resend.data());
        for_all(id(), |id| {
            let expected = Some(id.clone()).filter(|id| is_id(id));
            prop_assert_eq!(OtpId::parse(&id).is_ok(), expected.is_some());
            service.sends("otp_id", expected, |client| ResendOtp::otp_id(id).send(client))
        });
    }

    #[test]
    fn an_id_is_one_segment_of_the_path_and_changes_nothing_else() {
        // This response fits both operations and any id.
        let service = Service::start(r#"{"status":"cancelled"}"#);
        for_all(id().prop_filter("an id", |id| is_id(id)), |id| {
            segment(&service, "POST", "cancel", &id, |client| CancelReverseOtp::otp_id(&*id).send(client).map(drop))?;
            segment(&service, "GET", "verify", &id, |client| VerifyReverseOtp::otp_id(&*id).send(client).map(drop))
        });
    }

    fn segment(
        service: &Service,
        method: &str,
        operation: &str,
        id: &str,
        call: impl FnOnce(&Client) -> Result<(), Error>,
    ) -> Result<(), TestCaseError> {
        let requests = service.calls(call)?.1;
        prop_assert_eq!(requests.len(), 1);
        let head = &requests[0].head;
        let before = format!("{method} /prefix/v1/otp/reverse/{operation}/");
        let rest = head.strip_prefix(&before).and_then(|rest| rest.split_once(" HTTP/1.1\r\n"));
        let Some((segment, headers)) = rest else {
            return Err(TestCaseError::fail(format!("no request of {before} in {head:?}")));
        };
        prop_assert_eq!(percent_decoded(segment), Some(id.to_owned()), "in {}", segment);
        prop_assert!(segment != "." && segment != "..");
        let host = format!("host: {}", service.server.address);
        prop_assert!(headers.lines().any(|line| line.eq_ignore_ascii_case(&host)), "{}", headers);
        prop_assert_eq!(headers.matches("\r\n\r\n").count(), 1);
        Ok(())
    }

    /// Decodes a segment of unreserved characters and escapes (RFC 3986 §2).
    fn percent_decoded(segment: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let mut rest = segment.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                b'-' | b'.' | b'_' | b'~' => byte,
                _ if byte.is_ascii_alphanumeric() => byte,
                _ => return None,
            });
        }
        String::from_utf8(bytes).ok()
    }

    /// Ids, and characters with a meaning in URLs.
    fn id() -> impl Strategy<Value = String> {
        let character = select("/?#%&=+:;@!$'()*,[]\\ .~-_<>\"{}|^`é💥a0\u{a0}\u{2028}".chars().collect::<Vec<_>>());
        let odd = vec(character, 0..12).prop_map(String::from_iter);
        let long = r"\PC{499,502}";
        prop_oneof![4 => "(r_)?otp_[0-9]{1,10}", 4 => odd, 2 => r"\.{1,3}", 2 => "%[0-9a-fA-F]{2}%?", 4 => any_text(), 1 => long]
    }

    fn is_id(text: &str) -> bool {
        is_readable(text) && text != "." && text != ".." && text.chars().count() <= 500
    }

    fn is_readable(text: &str) -> bool {
        text.chars().any(|c| !c.is_whitespace()) && !text.chars().any(char::is_control)
    }

    impl Service {
        /// Tests that one request has this value in this field, or that none is sent and the error names the field.
        fn sends<T: std::fmt::Debug>(
            &self,
            field: &str,
            expected: Option<String>,
            call: impl FnOnce(&Client) -> Result<T, Error>,
        ) -> Result<(), TestCaseError> {
            let result = self.try_call(call);
            match (result, expected) {
                ((Ok(_), requests), Some(expected)) => {
                    prop_assert_eq!(requests.len(), 1);
                    let body: Value = serde_json::from_slice(&requests[0].body).expect("a request's body is JSON");
                    prop_assert_eq!(&body[field], &json!(expected));
                }
                ((Err(Error::Validation(error)), requests), None) => {
                    prop_assert_eq!(requests.len(), 0, "sent, although {}", error);
                    let fields: Vec<_> = error.issues().iter().map(|issue| issue.field).collect();
                    prop_assert_eq!(fields, [field]);
                }
                ((result, _), expected) => prop_assert!(false, "{:?} where {:?} was expected", result, expected),
            }
            Ok(())
        }
    }
}

mod responses {
    use std::time::{Duration, UNIX_EPOCH};

    use contiguity::{Error, NewOtp};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use serde_json::{Value, json};

    use super::support::{KEY, NUMBER, Operation, answer, envelope};
    use super::{Service, any_json, any_text, for_all};

    #[test]
    fn a_sent_id_is_never_lost() {
        let service = Service::start("{}");
        let metadata =
            || (prop_oneof![4 => select(METADATA).prop_map(String::from), 1 => any_text()], metadata_value());
        let fields = || (vec(metadata(), 0..8), any::<Index>());
        for_all((id(), fields(), fields()), |(id, around, beside)| {
            // A field that is read and is there twice makes a response unreadable.
            let is_read_once = |fields: &[(String, Value)]| {
                fields.iter().enumerate().all(|(at, (name, _))| fields[..at].iter().all(|(other, _)| other != name))
            };
            prop_assume!(is_read_once(&around.0) && around.0.iter().all(|(name, _)| name != "data"));
            prop_assume!(is_read_once(&beside.0) && beside.0.iter().all(|(name, _)| name != "otp_id"));
            let data = object(&beside.0, beside.1, "otp_id", &json!(id).to_string());
            service.answers(answer(200, "", object(&around.0, around.1, "data", &data)));
            let call = |client: &_| NewOtp::to(NUMBER).language("en").name("MyApp").send(client);
            let (sent, _) = service.calls(call)?;
            prop_assert_eq!(sent.otp_id.as_str(), &id);

            let field = |name| around.0.iter().find(|(other, _)| other == name).map(|(_, value)| value);
            let request_id = sent.metadata.request_id.as_deref();
            match field("id").map(|id| id.as_str()) {
                Some(Some(id)) if is_plain(id) => prop_assert_eq!(request_id, Some(id)),
                Some(Some(_)) => {}
                _ => prop_assert_eq!(request_id, None),
            }
            if let Some(milliseconds) = field("timestamp").and_then(Value::as_u64) {
                let time = UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds));
                prop_assert_eq!(sent.metadata.timestamp, time);
            }
            for text in [&sent.metadata.request_id, &sent.metadata.api_version].into_iter().flatten() {
                prop_assert!(!text.chars().any(char::is_control) && text.chars().count() <= 201, "{:?}", text);
            }
            Ok(())
        });
    }

    #[test]
    fn any_bytes_end_in_a_typed_error() {
        let service = Service::start("{}");
        // Some statuses have no body. It would be read as the next response.
        let status = (200..600_u16).prop_filter("with a body", |status| ![204, 304].contains(status));
        let status = prop_oneof![Just(200), status];
        for_all((select(&Operation::ALL[..]), status, body()), |(operation, status, body)| {
            service.answers(answer(status, "", &body));
            let (result, requests) = service.try_call(|client| operation.call(client));
            prop_assert_eq!(requests.len(), 1);
            let is_success = (200..300).contains(&status);
            let Err(error) = result else {
                prop_assert!(is_success, "a {} is not a success", status);
                return Ok(());
            };
            prop_assert_eq!(error.status(), Some(status));
            match &error {
                Error::Api(_) => {
                    prop_assert!(!is_success, "{}", error);
                    prop_assert_eq!(error.may_have_sent(), status == 408 || !(400..500).contains(&status));
                }
                Error::Decode(_) => prop_assert!(is_success && error.may_have_sent() && !error.is_retryable()),
                other => prop_assert!(false, "a response was received, but: {}", other),
            }
            let text = error.to_string();
            prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
            let shown = format!("{text} {error:?}");
            // A request id is whole, except for the digits of its call.
            let names_number = matches!(operation, Operation::New | Operation::Initiate);
            let shown = match error.request_id() {
                Some(id) if !names_number => shown.replace(id, ""),
                _ => shown,
            };
            for secret in [KEY, NUMBER] {
                prop_assert!(!shown.contains(secret), "{} in {}", secret, text);
            }
            Ok(())
        });
    }

    /// Bytes, and good responses that were cut or damaged, or into which something was inserted, such as a secret.
    fn body() -> impl Strategy<Value = Vec<u8>> {
        let good = select(&Operation::ALL[..]).prop_map(|operation| envelope(operation.data()).into_bytes());
        let piece = prop_oneof![
            vec(any::<u8>(), 0..4),
            select(&["\"", "{", "[", "\\", "\\u0000", "1e999", "\0", " ", KEY, NUMBER][..]).prop_map(Into::into),
        ];
        let damaged = (good, any::<Index>(), 0..3_usize, piece).prop_map(|(mut body, index, removed, piece)| {
            let begin = index.index(body.len());
            let end = body.len().min(begin + removed);
            body.splice(begin..end, piece);
            body
        });
        let cut = (damaged.clone(), any::<Index>()).prop_map(|(mut body, index)| {
            body.truncate(index.index(body.len()));
            body
        });
        let json = any_json().prop_map(|json| json.to_string().into_bytes());
        let complaint =
            any_text().prop_map(|text| json!({ "data": { "error": text }, "id": text }).to_string().into_bytes());
        prop_oneof![1 => vec(any::<u8>(), 0..400), 3 => damaged, 1 => cut, 1 => json, 2 => complaint]
    }

    const METADATA: &[&str] = &["id", "timestamp", "api_version", "object", "message", "error", "Data", ""];

    /// An object of these fields and, somewhere among them, this one.
    fn object(fields: &[(String, Value)], place: Index, name: &str, value: &str) -> String {
        let mut parts: Vec<_> = fields.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        parts.insert(place.index(parts.len() + 1), format!("{}:{value}", json!(name)));
        format!("{{{}}}", parts.join(","))
    }

    fn metadata_value() -> impl Strategy<Value = Value> {
        let id = "[a-z]{2,4}_[0-9a-f]{4,12}".prop_map(Value::from);
        prop_oneof![id, any::<u64>().prop_map(Value::from), any_text().prop_map(Value::from), any_json()]
    }

    /// Reports whether an id is shown as it is.
    fn is_plain(id: &str) -> bool {
        !id.is_empty() && id.len() <= 32 && id.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
    }

    fn id() -> impl Strategy<Value = String> {
        let is_id = |text: &String| contiguity::OtpId::parse(text).is_ok();
        prop_oneof!["otp_[0-9]{1,10}", any_text().prop_filter("an id", is_id)]
    }
}

/// A server that sends the response that was set last, and its client.
struct Service {
    server: Server,
    client: Client,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Service {
    fn start(data: &str) -> Self {
        let told = Arc::new(Mutex::new(answer(200, "", envelope(data))));
        let server = Server::plain({
            let told = Arc::clone(&told);
            move |connection| {
                while connection.request().is_some() {
                    let bytes = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    if !connection.send(&bytes) {
                        break;
                    }
                }
            }
        });
        let url = format!("{}/prefix/v1/", server.url());
        let client = server.client().base_url(url).retries(0).build().expect("a client");
        Self { server, client, answer: told }
    }

    fn answers(&self, bytes: Vec<u8>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    }

    /// Makes a call, and also returns the requests that the server received.
    fn try_call<T>(&self, call: impl FnOnce(&Client) -> Result<T, Error>) -> (Result<T, Error>, Vec<support::Request>) {
        let before = self.server.requests().len();
        let result = call(&self.client);
        (result, self.server.requests().split_off(before))
    }

    /// The same for a call that has to succeed.
    fn calls<T>(
        &self,
        call: impl FnOnce(&Client) -> Result<T, Error>,
    ) -> Result<(T, Vec<support::Request>), TestCaseError> {
        let (result, requests) = self.try_call(call);
        result.map(|answer| (answer, requests)).map_err(|error| TestCaseError::fail(error.to_string()))
    }
}

/// Tests the property on such inputs, and panics with the smallest one that it does not hold for.
#[track_caller]
fn for_all<S: Strategy>(inputs: S, property: impl Fn(S::Value) -> TestCaseResult) {
    // An input that failed once gets its own test, not a file of seeds.
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if let Err(error) = TestRunner::new(config).run(&inputs, property) {
        panic!("{error}");
    }
}

/// Any text, with control characters.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["(?s).{0,24}", r"\PC{0,24}", "[ -~]{0,24}", r"[\x00-\x7f]{0,12}", r"\s{0,3}"]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        select(&[0.0, -0.0, 0.5, 1.0, 1e300, -1e-300][..]).prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
        let fields = proptest::collection::vec((any_text(), inner), 0..4);
        prop_oneof![list, fields.prop_map(|fields| Value::Object(fields.into_iter().collect()))]
    })
}
