use contiguity::{Client, Error, SentOtp, Verified};

fn check(sent: &SentOtp, client: &Client) -> Result<Verified, Error> {
    let check = sent.verify("123456").send(client)?;
    Ok(check.proof()?)
}

fn main() {}
