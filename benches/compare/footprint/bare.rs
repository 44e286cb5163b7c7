//! The same without the SDK: bare ureq and serde, with the limits that a careful user sets.

use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct NewOtp<'a> {
    to: &'a str,
    language: &'a str,
    name: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    data: Sent,
}

#[derive(Deserialize)]
struct Sent {
    otp_id: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let key = std::env::var("CONTIGUITY_API_KEY")?;
    let base = std::env::var("CONTIGUITY_BASE_URL").unwrap_or_else(|_| "https://api.contiguity.com".to_owned());
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(30)))
        .timeout_connect(Some(Duration::from_secs(5)))
        .build()
        .into();
    let answer: Answer = agent
        .post(format!("{base}/otp/new"))
        .header("Authorization", format!("Token {key}"))
        .send_json(NewOtp { to: "+14155552671", language: "en", name: "MyApp" })?
        .body_mut()
        .read_json()?;
    println!("{}", answer.data.otp_id);
    Ok(())
}
