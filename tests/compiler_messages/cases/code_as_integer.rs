use contiguity::VerifyOtp;

fn main() {
    let _ = VerifyOtp::otp_id("otp_1234567890").otp(123456);
}
