use contiguity::{Client, VerifyOtp};

fn send(client: &Client) {
    let _ = VerifyOtp::otp_id("otp_1234567890").send(client);
}

fn main() {}
