//! A session's link as a QR code, for a terminal or a web page.
//!
//! The person scans it with the phone that has to text: their messages open with number and factor filled in.
//! [`ReverseSession::qr`] makes one.
//!
//! ```
//! # let sandbox = contiguity::sandbox::Sandbox::start()?;
//! # let client = sandbox.client();
//! use contiguity::InitiateReverseOtp;
//!
//! let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
//! println!("{}", session.qr()?.to_terminal());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::fmt::Write as _;

use qrcode::types::QrError;
use qrcode::{Color, EcLevel};

use crate::reverse::ReverseSession;

impl ReverseSession {
    /// The link of [`ui.qr_code`](crate::Instructions::qr_code) as a QR code, to be shown to the person.
    ///
    /// Asks nobody: the code is drawn here.
    ///
    /// # Errors
    ///
    /// [`qr::Error`](Error) if the answer had no link, as older servers' may, or one that is too long for a QR code (2953
    /// bytes at most). Show the session's `to` and `factor` in words then.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use contiguity::InitiateReverseOtp;
    ///
    /// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
    /// match session.qr() {
    ///     Ok(code) => println!("{}", code.to_terminal()),
    ///     Err(_) => println!("Text {} to {}", session.factor, session.to),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn qr(&self) -> Result<QrCode, Error> {
        let link = self.ui.as_ref().map(|ui| ui.qr_code.as_str()).unwrap_or_default();
        if link.trim().is_empty() {
            return Err(Error { fault: Fault::NoLink });
        }
        let drawn = draw(link).map_err(|_| Error { fault: Fault::TooLong(link.len()) })?;
        let width = drawn.width();
        let is_dark = drawn.into_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(QrCode { width, is_dark })
    }
}

/// A QR code, ready to be shown. Made by [`ReverseSession::qr`].
///
/// Every picture of it has the light margin of four modules that ISO/IEC 18004 asks for, so that nothing need be put around
/// it.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use std::io::IsTerminal;
/// use contiguity::InitiateReverseOtp;
///
/// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// if std::io::stdout().is_terminal() {
///     println!("{}", session.qr()?.to_terminal());
/// } else {
///     println!("{}", session.ui.as_ref().map_or("", |ui| &ui.qr_code));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct QrCode {
    width: usize,
    /// Row by row, without the margin.
    is_dark: Vec<bool>,
}

impl QrCode {
    /// Text for a terminal: two modules in each character, one above the other, black on white by escape codes, whatever
    /// the terminal's own colours are. The last line has no line break, so print it with `println!`.
    ///
    /// A link such as `sms:+16465550123?body=1234` takes 33 columns and 17 lines, the longest factor 61 columns. The
    /// escapes (ECMA-48 SGR, 256 colours) are always written: for a file, a pipe or a person who set `NO_COLOR` there is
    /// [`to_text`](Self::to_text).
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use contiguity::InitiateReverseOtp;
    ///
    /// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
    /// println!("{}", session.qr()?.to_terminal());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_terminal(&self) -> String {
        self.half_blocks(Background::Light, BLACK_ON_WHITE, RESET)
    }

    /// The same without escape codes, in the colours that are there: for `NO_COLOR`, plain text and simple terminals.
    ///
    /// What is drawn is the text's colour, so the background has to be known. On the other one the code comes out
    /// inverted, light on dark, which many phones read and others do not.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use contiguity::InitiateReverseOtp;
    /// use contiguity::qr::Background;
    ///
    /// let code = InitiateReverseOtp::number("+14155552671").send(&client)?.qr()?;
    /// if std::env::var_os("NO_COLOR").is_some() {
    ///     println!("{}", code.to_text(Background::Dark));
    /// } else {
    ///     println!("{}", code.to_terminal());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_text(&self, on: Background) -> String {
        self.half_blocks(on, "", "")
    }

    /// A picture for a web page or a file: an `<svg>` element, black on a white ground that it brings along, of one unit for
    /// each module.
    ///
    /// It has no size of its own, and fills the width it is given. Nothing of the session's text is in it but the code, so
    /// it can stand in a page as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use contiguity::InitiateReverseOtp;
    ///
    /// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
    /// let page = format!(r#"<p style="width: 20em">{}</p>"#, session.qr()?.to_svg());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_svg(&self) -> String {
        let size = self.width + 2 * MARGIN;
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges" role="img" aria-label="QR code"><path fill="#fff" d="M0 0h{size}v{size}H0z"/><path fill="#000" d=""##
        );
        for row in 0..size {
            let mut column = 0;
            while column < size {
                let run = (column..size).take_while(|&column| self.is_dark(row, column)).count();
                if run > 0 {
                    // Writing to a String does not fail.
                    let _ = write!(svg, "M{column} {row}h{run}v1h-{run}z");
                }
                column += run.max(1);
            }
        }
        svg.push_str(r#""/></svg>"#);
        svg
    }

    /// Draws the dark modules, or on a dark background the light ones.
    fn half_blocks(&self, on: Background, before: &str, after: &str) -> String {
        let size = self.width + 2 * MARGIN;
        let is_drawn = |row, column| self.is_dark(row, column) == (on == Background::Light);
        let mut text = String::new();
        // Below an odd number of rows the last line has one more, of margin.
        for row in (0..size).step_by(2) {
            if row > 0 {
                text.push('\n');
            }
            text.push_str(before);
            text.extend((0..size).map(|column| match (is_drawn(row, column), is_drawn(row + 1, column)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            }));
            text.push_str(after);
        }
        text
    }

    /// The margin included: outside of the code, everything is light.
    fn is_dark(&self, row: usize, column: usize) -> bool {
        let inside = |position: usize| position.checked_sub(MARGIN).filter(|&position| position < self.width);
        matches!((inside(row), inside(column)), (Some(row), Some(column)) if self.is_dark[row * self.width + column])
    }
}

/// The size, and not the modules, which nobody can read.
impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QrCode").field("width", &self.width).finish_non_exhaustive()
    }
}

/// What [`QrCode::to_text`] is read on.
///
/// # Examples
///
/// ```
/// use contiguity::qr::Background;
///
/// let terminal = Background::Dark; // light letters, as most terminals have
/// let paper = Background::Light;
/// assert_ne!(terminal, paper);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Background {
    /// Darker than the letters on it.
    Dark,
    /// Lighter than the letters on it.
    Light,
}

/// Why a session has no QR code. Made by [`ReverseSession::qr`].
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::InitiateReverseOtp;
///
/// let mut session = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// session.ui = None; // as older servers answer
/// assert!(session.qr().unwrap_err().is_missing_link());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no QR code: {fault}")]
pub struct Error {
    fault: Fault,
}

impl Error {
    /// Whether the service's answer had no link to show.
    #[must_use]
    pub fn is_missing_link(&self) -> bool {
        self.fault == Fault::NoLink
    }

    /// Whether the link is longer than a QR code can hold.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        matches!(self.fault, Fault::TooLong(_))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("the session has no link (`ui.qr_code`); show `factor` and `to` in words")]
    NoLink,
    #[error("the session's link has {0} bytes, more than a QR code holds; show `factor` and `to` in words")]
    TooLong(usize),
}

/// The smallest code that holds the link, and with what room it has left, the one that survives most damage.
fn draw(link: &str) -> Result<qrcode::QrCode, QrError> {
    let smallest = qrcode::QrCode::with_error_correction_level(link, EcLevel::L)?;
    let version = smallest.version();
    let safer = [EcLevel::H, EcLevel::Q, EcLevel::M];
    Ok(safer.into_iter().find_map(|level| qrcode::QrCode::with_version(link, version, level).ok()).unwrap_or(smallest))
}

/// In modules: ISO/IEC 18004 §9.1, the quiet zone of a QR code.
const MARGIN: usize = 4;

/// Colours 16 and 231 of the 256: black and white in every theme, unlike the first 16, which themes choose. All that the
/// program had set before ends first, since reverse video would turn the code around.
const BLACK_ON_WHITE: &str = "\x1b[0;38;5;16;48;5;231m";

/// At the end of each line, or a terminal that scrolls paints the rest of the line as well.
const RESET: &str = "\x1b[0m";
