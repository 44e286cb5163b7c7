use contiguity::{Challenge, Client, Error};

fn check(challenge: &mut Challenge, client: &Client) -> Result<bool, Error> {
    if challenge.verify(client, "123456")? {
        return Ok(true);
    }
    Ok(false)
}

fn main() {}
