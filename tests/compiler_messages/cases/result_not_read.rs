#![deny(unused_must_use)]

use contiguity::guard::Guard;
use contiguity::{
    CancelReverseOtp, Challenge, Client, Error, InitiateReverseOtp, Limit, NewOtp, Policy, ResendOtp, ReverseSession,
    SentOtp, Verified, VerifyOtp, VerifyReverseOtp,
};

fn not_sent(session: &ReverseSession, client: &Client) {
    NewOtp::to("+14155552671").language("en").name("MyApp");
    VerifyOtp::otp_id("otp_1234567890").otp("123456");
    ResendOtp::otp_id("otp_1234567890");
    InitiateReverseOtp::number("+14155552671");
    VerifyReverseOtp::otp_id("r_otp_123456");
    CancelReverseOtp::otp_id("r_otp_123456");
    session.wait(client);
    Client::builder("your-api-key").retries(0);
    Guard::total(Limit::per_day(2_000)).everywhere();
}

fn not_read(
    sent: &SentOtp,
    challenge: &mut Challenge,
    session: &ReverseSession,
    client: &Client,
    proof: Verified,
) -> Result<(), Error> {
    NewOtp::to("+14155552671").language("en").name("MyApp").send(client)?;
    NewOtp::to("+14155552671").language("en").name("MyApp").challenge(client, Policy::DEFAULT)?;
    sent.verify("123456").send(client)?;
    ResendOtp::otp_id("otp_1234567890").send(client)?;
    challenge.verify(client, "123456")?;
    VerifyReverseOtp::otp_id("r_otp_123456").send(client)?;
    session.wait(client).run()?;
    std::convert::identity(proof);
    Ok(())
}

fn error_not_read(sent: &SentOtp, challenge: &mut Challenge, client: &Client) {
    sent.verify("123456").send(client);
    challenge.resend(client);
}

fn main() {}
