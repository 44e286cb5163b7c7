//! QR codes of a session's link are readable by an independent decoder, as text and as SVG.

use contiguity::qr::{Background, Error, QrCode};
use contiguity::sandbox::Sandbox;
use contiguity::{InitiateReverseOtp, ReverseSession};

const LINK: &str = "sms:+16465550123?body=1234";

#[test]
fn terminal_text_scans_in_every_theme() {
    for link in links() {
        let text = code(&link).to_terminal();
        for terminal in [Screen::dark(), Screen::light(), Screen::solarized()] {
            let picture = terminal.show(&text);
            assert_eq!(scan(&picture), link, "{terminal:?}");
            assert_margin(&picture.without_border());
        }
    }
}

#[test]
fn terminal_text_scans_after_reverse_video() {
    let text = code(LINK).to_terminal();
    let picture = Screen::dark().show(&format!("\x1b[7m{text}"));
    assert_eq!(scan(&picture), LINK);
    assert_margin(&picture.without_border());
}

#[test]
fn plain_text_scans_on_its_background() {
    for link in links() {
        for (on, terminal) in [(Background::Dark, Screen::dark()), (Background::Light, Screen::light())] {
            let text = code(&link).to_text(on);
            assert!(!text.contains('\x1b'));
            let picture = terminal.show(&text);
            assert_eq!(scan(&picture), link, "{on:?}");
            assert_margin(&picture.without_border());
        }
    }
}

#[test]
fn text_has_the_documented_size() {
    for (link, columns, lines) in [(LINK, 33, 17), (links().last().unwrap().as_str(), 61, 31)] {
        for text in [code(link).to_terminal(), code(link).to_text(Background::Dark)] {
            assert_eq!(text.split('\n').count(), lines, "{link}");
            for line in text.split('\n') {
                // A line that leaves its colors on would paint what follows it.
                let line = if line.starts_with('\x1b') {
                    let start = line.strip_prefix("\x1b[0;38;5;16;48;5;231m");
                    start.and_then(|line| line.strip_suffix("\x1b[0m")).expect(line)
                } else {
                    line
                };
                assert_eq!(line.chars().count(), columns, "{link}");
                assert!(line.chars().all(|c| " ▀▄█".contains(c)), "{line:?}");
            }
        }
    }
    assert!(code(LINK).to_terminal().starts_with('\x1b'));
}

#[test]
fn svg_scans() {
    for link in links() {
        let picture = rasterize(&code(&link).to_svg());
        assert_eq!(scan(&picture), link);
        assert_margin(&picture);
    }
}

#[test]
fn svg_contains_no_text_of_the_link() {
    let link = r#"sms:+16465550123?body="/></svg><script>alert('&')</script>"#;
    let svg = code(link).to_svg();
    assert_eq!(scan(&rasterize(&svg)), link);
    assert!(!svg.contains("sms:") && !svg.contains("script") && !svg.contains('&'), "{svg}");
    assert_eq!(svg.matches('<').count(), 4, "svg, two paths, and the end of svg: {svg}");
}

#[test]
fn codes_are_equal_if_their_links_are() {
    assert_eq!(code(LINK), code(LINK));
    assert_ne!(code(LINK), code("sms:+16465550123?body=1235"));
    assert_eq!(format!("{:?}", code(LINK)), "QrCode { width: 25, .. }");
}

/// The decoder also reads mirrored codes, which phones may not. One module is dark in every code,
/// to the right of the lower finder pattern (ISO/IEC 18004 §7.9.1). Its mirror image is a format
/// bit, which differs from code to code.
#[test]
fn codes_are_not_mirrored() {
    for link in links() {
        let picture = rasterize(&code(&link).to_svg());
        let lowest = picture.rows.len() - 1 - MARGIN;
        assert_eq!(picture.rows[lowest - 7][MARGIN + 8], 0, "{link}");
    }
}

#[test]
fn a_missing_link_is_an_error() {
    let mut session = session(LINK);
    session.ui.as_mut().unwrap().qr_code = " ".to_owned();
    let blank = session.qr().unwrap_err();
    session.ui = None;
    let missing = session.qr().unwrap_err();
    for error in [blank, missing] {
        assert!(error.is_missing_link() && !error.is_too_long());
        assert_message(&error, "no QR code: the session has no link (`ui.qr_code`); show `factor` and `to` as text");
    }
}

#[test]
fn a_link_that_is_too_long_is_an_error() {
    assert_eq!(scan(&rasterize(&code(&"x".repeat(2953)).to_svg())), "x".repeat(2953));
    let error = session(&"x".repeat(2954)).qr().unwrap_err();
    assert!(error.is_too_long() && !error.is_missing_link());
    assert_message(
        &error,
        "no QR code: the session's link has 2954 bytes, more than a QR code can hold; show `factor` and `to` as text",
    );
}

#[test]
fn links_of_real_responses_scan() {
    let sandbox = Sandbox::start().unwrap();
    let initiate = |factor: &str| InitiateReverseOtp::number("+14155552671").factor(factor).send(&sandbox.client());
    for factor in ["1234", "MyApp2024", "16 characters ok", "Zürich 🦀 100% &?", "🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀"]
    {
        let session = initiate(factor).unwrap();
        let link = &session.ui.as_ref().unwrap().qr_code;
        assert_eq!(&scan(&rasterize(&session.qr().unwrap().to_svg())), link);
    }
}

/// Short and long, percent-encoded and not. The last one has the longest possible factor.
fn links() -> [String; 6] {
    [
        LINK.to_owned(),
        "sms:+16465550123?body=MyApp2024".to_owned(),
        "SMS:+16465550123".to_owned(),
        "sms:+16465550123?body=Zürich 🦀 & ünïcödé 日本".to_owned(),
        "1".to_owned(),
        format!("sms:+16465550123?body={}", "%F0%9F%A6%80".repeat(16)),
    ]
}

fn code(link: &str) -> QrCode {
    session(link).qr().unwrap()
}

fn session(link: &str) -> ReverseSession {
    thread_local!(static SESSION: ReverseSession = {
        let sandbox = Sandbox::start().unwrap();
        InitiateReverseOtp::number("+14155552671").send(&sandbox.client()).unwrap()
    });
    let mut session = SESSION.with(Clone::clone);
    link.clone_into(&mut session.ui.as_mut().unwrap().qr_code);
    session
}

#[track_caller]
fn scan(picture: &Picture) -> String {
    // The decoder needs more than one pixel per module.
    let scale = 4;
    let brightness = |x: usize, y: usize| picture.rows[y / scale][x / scale];
    let (width, height) = (picture.rows[0].len() * scale, picture.rows.len() * scale);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, brightness);
    let codes = image.detect_grids();
    assert_eq!(codes.len(), 1, "codes found");
    codes[0].decode().unwrap().1
}

/// Checks that the code has a light margin of four modules on every side.
#[track_caller]
fn assert_margin(picture: &Picture) {
    // A code is square. Text of an odd number of rows has half a line more.
    let size = picture.rows[0].len();
    assert!((size..=size + 1).contains(&picture.rows.len()), "{size} columns, {} rows", picture.rows.len());
    let all = (0..size).flat_map(|y| (0..size).map(move |x| (x, y)));
    let dark: Vec<_> = all.filter(|&(x, y)| picture.rows[y][x] < 128).collect();
    for axis in [|&(x, _): &(usize, usize)| x, |&(_, y): &(usize, usize)| y] {
        assert_eq!(dark.iter().map(axis).min(), Some(MARGIN));
        assert_eq!(dark.iter().map(axis).max(), Some(size - 1 - MARGIN));
    }
}

/// In modules.
const MARGIN: usize = 4;

/// The message is also what `main` prints of an error that it returns, by `Debug`.
#[track_caller]
fn assert_message(error: &Error, message: &str) {
    assert_eq!(error.to_string(), message);
    assert_eq!(format!("{error:?}"), message);
}

/// Brightness, row by row.
struct Picture {
    rows: Vec<Vec<u8>>,
}

impl Picture {
    fn without_border(&self) -> Self {
        let inner = |length: usize| BORDER..length - BORDER;
        Self { rows: self.rows[inner(self.rows.len())].iter().map(|row| row[inner(row.len())].to_vec()).collect() }
    }
}

/// A terminal that shows half blocks and understands the escape codes for colors.
#[derive(Debug)]
struct Screen {
    letters: u8,
    background: u8,
    /// The theme's own black and white, among the first 16 colors.
    black: u8,
    white: u8,
}

impl Screen {
    fn dark() -> Self {
        Self { letters: 229, background: 0, black: 0, white: 229 }
    }

    fn light() -> Self {
        Self { letters: 0, background: 255, black: 0, white: 255 }
    }

    /// A theme whose "black" and "white" are neither.
    fn solarized() -> Self {
        Self { letters: 120, background: 30, black: 110, white: 120 }
    }

    /// Returns the text with a border of empty screen around it.
    fn show(&self, text: &str) -> Picture {
        let mut rows = Vec::new();
        let (mut letters, mut background, mut is_reverse) = (self.letters, self.background, false);
        for line in text.lines() {
            let mut upper = Vec::new();
            let mut lower = Vec::new();
            let mut characters = line.chars();
            while let Some(character) = characters.next() {
                if character == '\x1b' {
                    assert_eq!(characters.next(), Some('['));
                    let parameters: String = characters.by_ref().take_while(|&c| c != 'm').collect();
                    let parameters: Vec<u16> = parameters.split(';').map(|p| p.parse().unwrap()).collect();
                    let mut rest = parameters.as_slice();
                    while let Some((first, after)) = rest.split_first() {
                        rest = after;
                        match (first, after) {
                            (0, _) => (letters, background, is_reverse) = (self.letters, self.background, false),
                            (7, _) => is_reverse = true,
                            (38, [5, color, after @ ..]) => (letters, rest) = (self.color(*color), after),
                            (48, [5, color, after @ ..]) => (background, rest) = (self.color(*color), after),
                            other => panic!("{other:?}"),
                        }
                    }
                    continue;
                }
                let (on, off) = if is_reverse { (background, letters) } else { (letters, background) };
                let (top, bottom) = match character {
                    '█' => (on, on),
                    '▀' => (on, off),
                    '▄' => (off, on),
                    ' ' => (off, off),
                    other => panic!("{other:?}"),
                };
                upper.push(top);
                lower.push(bottom);
            }
            rows.extend([upper, lower]);
        }
        let width = rows[0].len() + 2 * BORDER;
        assert!(rows.iter().all(|row| row.len() + 2 * BORDER == width), "lines of different length");
        for row in &mut rows {
            row.splice(0..0, [self.background; BORDER]);
            row.extend([self.background; BORDER]);
        }
        let border = || std::iter::repeat_n(vec![self.background; width], BORDER);
        Picture { rows: border().chain(rows).chain(border()).collect() }
    }

    fn color(&self, index: u16) -> u8 {
        match index {
            0 | 8 => self.black,
            7 | 15 => self.white,
            16 => 0,
            231 => 255,
            other => panic!("color {other}"),
        }
    }
}

const BORDER: usize = 6;

/// Paints the paths of the SVG on a dark page, and panics on any other SVG.
fn rasterize(svg: &str) -> Picture {
    let head = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 "#;
    let (size, rest) = svg.strip_prefix(head).unwrap().split_once(' ').unwrap();
    let size: usize = size.parse().unwrap();
    let attributes = format!(r#"{size}" shape-rendering="crispEdges" role="img" aria-label="QR code">"#);
    let paths = rest.strip_prefix(&attributes).unwrap().strip_suffix("</svg>").unwrap();

    let mut rows = vec![vec![0; size]; size];
    for path in paths.split_terminator("/>") {
        let (fill, shapes) = path.strip_prefix("<path fill=").unwrap().split_once(r#" d=""#).unwrap();
        let brightness = match fill {
            r##""#fff""## => 255,
            r##""#000""## => 0,
            other => panic!("{other}"),
        };
        for shape in shapes.strip_suffix('"').unwrap().split_terminator('z') {
            let numbers = shape.strip_prefix('M').unwrap().replace(['h', 'v', 'H'], " ");
            let numbers: Vec<isize> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
            let [x, y, width, height, back] = numbers[..].try_into().unwrap();
            // The last line of a rectangle returns to its start: relative (h) or absolute (H).
            assert_eq!(if shape.contains('H') { back } else { x + width + back }, x, "{shape}");
            for row in &mut rows[y.unsigned_abs()..(y + height).unsigned_abs()] {
                row[x.unsigned_abs()..(x + width).unsigned_abs()].fill(brightness);
            }
        }
    }
    Picture { rows }
}
