mod cli;
mod contract;
