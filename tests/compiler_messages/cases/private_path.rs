use contiguity::otp::new::NewOtp;
use contiguity::reverse::initiate::InitiateReverseOtp;

fn main() {}
