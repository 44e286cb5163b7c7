use contiguity::Client;

fn main() {
    let client = Client::from_env()?;
    println!("{client:?}");
}
