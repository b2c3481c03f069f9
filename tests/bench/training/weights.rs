// %% Weights of 1 GB in bfloat16.
let file = std::env::var("WEIGHTS")?;

// %%
let begin = std::time::Instant::now();
let weights = io::StateDict::read(&file)?;
println!("{}", 1.0 / begin.elapsed().as_secs_f64());
