use contiguity::{Challenge, Client, Error, Verified};

fn log_in(_: Verified) {}

fn check(mut challenge: Challenge, client: &Client) -> Result<(), Error> {
    challenge.verify(client, "123456")?;
    log_in(challenge);
    Ok(())
}

fn main() {}
