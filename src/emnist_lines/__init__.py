"""Reading lines of handwriting: synthesis of EMNIST lines, the network, its training and its evaluation."""
