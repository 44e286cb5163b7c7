use contiguity::{Client, Error, SentOtp, Verified};

fn log_in(_: Verified) {}

fn check(sent: &SentOtp, client: &Client) -> Result<(), Error> {
    let check = sent.verify("123456").send(client)?;
    log_in(check);
    Ok(())
}

fn main() {}
