"""`inngest-gen debug`: steps through a recorded run, and checks whether recorded runs replay on the code as it is."""
