use contiguity::{Client, Error, ResendOtp, SentOtp};

fn resend_and_check(sent: SentOtp, client: &Client) -> Result<(), Error> {
    let _ = ResendOtp::otp_id(sent.otp_id).send(client)?;
    let _ = sent.verify("123456").send(client)?;
    Ok(())
}

fn main() {}
