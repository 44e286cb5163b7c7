//! QR codes for reverse OTP sessions, for a terminal or a web page.
//!
//! Requires the feature `qr`.
//!
//! The person scans the code with the phone that will send the text message. The phone opens a
//! message with the number and the factor filled in. [`ReverseSession::qr`] creates the code.
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

use qrcode::render::Renderer;
use qrcode::render::unicode::Dense1x2;
use qrcode::types::QrError;
use qrcode::{Color, EcLevel};

use crate::reverse::initiate::ReverseSession;
use crate::value::debug_is_display;

impl ReverseSession {
    /// Creates a QR code of the link in [`ui.qr_code`](crate::Instructions::qr_code).
    ///
    /// Sends no request: the code is created on this machine.
    ///
    /// Requires the feature `qr`.
    ///
    /// # Errors
    ///
    /// Returns [`qr::Error`](Error) if the response had no link, which older servers may leave
    /// out, or if the link is longer than 2953 bytes, the most that a QR code can hold. In both
    /// cases, show the session's `to` and `factor` as text.
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
            return Err(Error { problem: QrProblem::NoLink });
        }
        let code = encode(link).map_err(|_| Error { problem: QrProblem::TooLong(link.len()) })?;
        Ok(QrCode { width: code.width(), modules: code.into_colors() })
    }
}

/// A QR code of a session's link. Created by [`ReverseSession::qr`].
///
/// Every rendering includes the light margin of four modules that ISO/IEC 18004 requires.
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
    modules: Vec<Color>,
}

impl QrCode {
    /// Returns the code as text for a terminal, black on white.
    ///
    /// Each character shows two modules, one above the other. Escape codes set the colors (ECMA-48
    /// SGR, 256 colors), so the code is readable in every color theme. For a file, a pipe or a
    /// person who set `NO_COLOR`, use [`to_text`](Self::to_text).
    ///
    /// A link such as `sms:+16465550123?body=1234` takes 33 columns and 17 lines. The longest
    /// factor takes 61 columns and 31 lines. The text does not end with a line break.
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
        let text = self.to_text(Background::Light);
        let lines = text.split('\n').map(|line| format!("{BLACK_ON_WHITE}{line}{RESET}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Returns the code as text without escape codes, for `NO_COLOR`, plain text and simple
    /// terminals.
    ///
    /// The text has the size of [`to_terminal`](Self::to_terminal) and is shown in the reader's own
    /// colors, so `on` must match the reader's background. On the wrong background the code is
    /// inverted, and some phones cannot read inverted codes.
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
        let mut renderer = Renderer::<Dense1x2>::new(&self.modules, self.width, MARGIN);
        // The renderer prints `Dark` as a block, which has the color of the text.
        if on == Background::Dark {
            renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
        }
        renderer.build()
    }

    /// Returns the code as an `<svg>` element for a web page or a file, black on white.
    ///
    /// The element has no fixed size and fills the width of its container. It contains only shapes,
    /// no text of the session, so it is safe to insert into a page without escaping.
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
        let margin = MARGIN as usize;
        let size = self.width + 2 * margin;
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges" role="img" aria-label="QR code"><path fill="#fff" d="M0 0h{size}v{size}H0z"/><path fill="#000" d=""##
        );
        for (index, _) in self.modules.iter().enumerate().filter(|&(_, module)| *module == Color::Dark) {
            let (x, y) = (margin + index % self.width, margin + index / self.width);
            svg.push_str(&format!("M{x} {y}h1v1h-1z"));
        }
        svg.push_str(r#""/></svg>"#);
        svg
    }
}

/// Shows the size without the modules.
impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QrCode").field("width", &self.width).finish_non_exhaustive()
    }
}

/// The background that [`QrCode::to_text`] is shown on.
///
/// # Examples
///
/// ```
/// use contiguity::qr::Background;
///
/// let terminal = Background::Dark; // light text, as in most terminals
/// let paper = Background::Light;
/// assert_ne!(terminal, paper);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Background {
    /// Darker than the text.
    Dark,
    /// Lighter than the text.
    Light,
}

/// An error that [`ReverseSession::qr`] returns.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::InitiateReverseOtp;
///
/// let mut session = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// session.ui = None; // as in a response of an older server
/// assert!(session.qr().unwrap_err().is_missing_link());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("no QR code: {problem}")]
pub struct Error {
    problem: QrProblem,
}

impl Error {
    /// Returns true if the service's response had no link.
    #[must_use]
    pub fn is_missing_link(&self) -> bool {
        self.problem == QrProblem::NoLink
    }

    /// Returns true if the link is longer than a QR code can hold.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        matches!(self.problem, QrProblem::TooLong(_))
    }
}

debug_is_display!(Error);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum QrProblem {
    #[error("the session has no link (`ui.qr_code`); show `factor` and `to` as text")]
    NoLink,
    #[error("the session's link has {0} bytes, more than a QR code can hold; show `factor` and `to` as text")]
    TooLong(usize),
}

/// Returns the smallest code for the link, with the most error correction that fits that size.
fn encode(link: &str) -> Result<qrcode::QrCode, QrError> {
    let smallest = qrcode::QrCode::with_error_correction_level(link, EcLevel::L)?;
    let version = smallest.version();
    let better = [EcLevel::H, EcLevel::Q, EcLevel::M];
    Ok(better.into_iter().find_map(|level| qrcode::QrCode::with_version(link, version, level).ok()).unwrap_or(smallest))
}

/// In modules: the quiet zone of a QR code (ISO/IEC 18004 §9.1).
const MARGIN: u32 = 4;

/// Colors 16 and 231 of the 256 are black and white in every theme; themes redefine the first 16.
/// The leading 0 ends styles that the program has set, since reverse video would invert the code.
const BLACK_ON_WHITE: &str = "\x1b[0;38;5;16;48;5;231m";

/// Ends each line, or a terminal that scrolls would paint the rest of the line white.
const RESET: &str = "\x1b[0m";
