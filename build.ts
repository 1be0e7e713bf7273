// Builds what runs: generated validators and the bundle of the command line in dist/.
