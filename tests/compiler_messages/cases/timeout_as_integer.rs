use contiguity::Client;

fn main() {
    let _ = Client::builder("your-api-key").timeout(30).build();
}
