//! The smallest program that sends one OTP with the SDK.

use contiguity::{Client, Error, NewOtp};

fn main() -> Result<(), Error> {
    let client = Client::from_env()?;
    let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
    println!("{}", sent.otp_id);
    Ok(())
}
