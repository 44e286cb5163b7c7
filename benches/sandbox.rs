//! Measures the sandbox: the time to start, sign-ins per second, and the memory that many messages
//! take.
//!
//! ```text
//! cargo bench --bench sandbox
//! ```

use std::time::Instant;

use contiguity::sandbox::Sandbox;
use contiguity::{NewOtp, VerifyOtp};

const SIGN_INS: u32 = 5_000;

fn main() {
    let began = Instant::now();
    let sandbox = Sandbox::start().expect("a sandbox");
    let started = began.elapsed();
    let client = sandbox.client();
    let send = |to: &str| NewOtp::to(to).language("en").name("MyApp").send(&client).expect("a response");
    let _ = send("+14155552671");
    println!("start                         {started:?}");
    println!("start to first response       {:?}", began.elapsed());

    let began = Instant::now();
    for _ in 0..SIGN_INS {
        let otp = send("+14155552671");
        let code = sandbox.phone("+14155552671").last_message().expect("a message").code;
        let check = VerifyOtp::otp_id(&otp.otp_id).otp(code).send(&client).expect("a response");
        assert!(check.verified);
    }
    println!("sign-ins (new, read, verify)  {:.0}/s", f64::from(SIGN_INS) / began.elapsed().as_secs_f64());

    println!("memory                        {}", resident());
    for thousands in [10, 100, 200] {
        while sandbox.deliveries("+14155552672") < thousands * 1000 {
            let _ = send("+14155552672");
        }
        println!("memory, {thousands:3},000 messages      {}", resident());
    }
    println!("messages kept                 {}", sandbox.phone("+14155552672").messages().len());
}

/// Returns the resident memory of this process, on Linux.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "unknown on this system".to_owned(), |kib| kib.trim().to_owned())
}
